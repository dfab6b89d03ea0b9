/**
 * Languages whose bibliographic code (ISO 639-2/B, what Matroska and old MP4 files carry) differs from the terminologic
 * one, which alone has a BCP 47 equivalent known to Intl.
 */
const bibliographic: Readonly<Record<string, string>> = {
  alb: "sq",
  arm: "hy",
  baq: "eu",
  bur: "my",
  chi: "zh",
  cze: "cs",
  dut: "nl",
  fre: "fr",
  geo: "ka",
  ger: "de",
  gre: "el",
  ice: "is",
  mac: "mk",
  mao: "mi",
  may: "ms",
  per: "fa",
  rum: "ro",
  slo: "sk",
  tib: "bo",
  wel: "cy",
};

/** A container's language code as BCP 47 (RFC 5646), in its shortest form; `und` where it says nothing of use. */
export function languageTag(code: string | undefined): string {
  const trimmed = code?.trim().replaceAll("_", "-").toLowerCase() ?? "";
  const known = bibliographic[trimmed];
  if (known !== undefined) return known;
  try {
    return Intl.getCanonicalLocales(trimmed)[0] ?? "und";
  } catch {
    return "und";
  }
}
