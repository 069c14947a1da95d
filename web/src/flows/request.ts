/** A request whose path holds a query in its parameter q. */
export interface Request {
  before: string;
  /** The query as people write it. */
  query: string;
  after: string;
  /** How blanks stood in the path: as they are, as + or as %20. */
  blank: " " | "+" | "%20";
}

const TEMPLATE = /(\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\})/;

/** Applies fn to the text outside of templates. */
const outside = (text: string, fn: (part: string) => string): string =>
  text
    .split(TEMPLATE)
    .map((part, index) => (index % 2 === 0 ? fn(part) : part))
    .join("");

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Finds the SOQL query in a path; null when there is none. */
export function readRequest(path: string): Request | null {
  const start = /[?&]q=(?=\s*SELECT\b|SELECT[+%])/i.exec(path);
  if (!start) return null;
  const from = start.index + start[0].length;
  // The query ends at the next parameter, not at an & within an expression.
  let end = from;
  for (const part of path.slice(from).split(TEMPLATE)) {
    const stop = TEMPLATE.test(part) ? -1 : part.indexOf("&");
    if (stop >= 0) {
      end += stop;
      break;
    }
    end += part.length;
  }
  const raw = path.slice(from, end);
  const bare = raw.split(TEMPLATE).filter((_, index) => index % 2 === 0).join("");
  const blank = bare.includes("%20") ? "%20" : bare.includes("+") && !/\s/.test(bare) ? "+" : " ";
  const query = blank === " " ? raw : outside(raw, (part) => decoded(blank === "+" ? part.replaceAll("+", " ") : part));
  return { before: path.slice(0, from), query, after: path.slice(end), blank };
}

/** The path with another query in it, written as the old one was. */
export function writeRequest({ before, after, blank }: Request, query: string): string {
  if (blank === " ") return before + outside(query, (part) => part.replaceAll("&", "%26")) + after;
  return before + outside(query, (part) => encodeURIComponent(part).replaceAll("%20", blank)) + after;
}
