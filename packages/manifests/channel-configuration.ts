/**
 * ISO/IEC 23091-3 (CICP) ChannelConfiguration by ffmpeg's names of layouts. Front and rear placement matter, the
 * difference between side and back speakers of 5.0 and 5.1 does not.
 */
const byLayout: Readonly<Record<string, number>> = {
  mono: 1,
  stereo: 2,
  "3.0": 3,
  "4.0": 4,
  "5.0": 5,
  "5.0(side)": 5,
  "5.1": 6,
  "5.1(side)": 6,
  "7.1(wide)": 7,
  "3.0(back)": 9,
  quad: 10,
  "quad(side)": 10,
  "6.1": 11,
  "6.1(back)": 11,
  "7.1": 12,
};

/** The code point of a channel layout, or null where there is none that is sure to be right. */
export function cicpChannelConfiguration(layout: string): number | null {
  return byLayout[layout] ?? null;
}
