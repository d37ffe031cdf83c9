// Numbers and tables in Markdown.

/** Three digits, more only before the point. */
export const number = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3));

/** A count, in thousands. */
export const count = (value) => Math.round(value).toLocaleString('en');

/** A time of so many nanoseconds, in the unit it is read in. */
export function time(nanoseconds) {
  const [unit, size] = nanoseconds >= 1e6 ? ['ms', 1e6] : nanoseconds >= 1e3 ? ['µs', 1e3] : ['ns', 1];
  return `${number(nanoseconds / size)} ${unit}`;
}

/** The first `left` columns hold words, the others numbers. */
export function table(header, rows, left = 0) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map((_, at) => (at < left ? '---' : '---:'))), ...rows.map((cells) => line(cells.map((cell) => cell ?? '')))].join('\n');
}
