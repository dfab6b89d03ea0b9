/** Attribute values; an undefined one is left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element as indented text. Children are elements made by this function, or one text that needs escaping. */
export function element(name: string, attributes: Attributes, children: readonly string[] | string = []): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXml(`${value}`)}"`)
    .join("");
  if (typeof children === "string") return `<${name}${written}>${escapeXml(children)}</${name}>`;
  if (children.length === 0) return `<${name}${written}/>`;
  const indented = children.map((child) => child.replace(/^/gm, "  ")).join("\n");
  return `<${name}${written}>\n${indented}\n</${name}>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/**
 * Text for element content or a double-quoted attribute. White space other than a blank is written as references, or a
 * parser would turn it into blanks in an attribute (XML 1.0 §3.3.3). Characters that XML cannot carry at all (§2.2:
 * controls, lone surrogates) become U+FFFD: a strange name in a source must not make a title unplayable.
 */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\u{FFFD}")
    .replace(/[&<>"\t\n\r]/g, (character) => entities[character] ?? character);
}
