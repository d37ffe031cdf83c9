// A line plot as SVG: both axes logarithmic, one colour for each line, readable on light and dark pages.

const WIDTH = 760;
const HEIGHT = 380;
const AREA = { left: 64, right: 590, top: 44, bottom: 330 };
const COLOURS = ['#2563eb', '#dc2626', '#16a34a', '#9333ea', '#d97706', '#0891b2'];

const text = (x, y, content, more = '') => `<text x="${x}" y="${y}" ${more}>${content}</text>`;

/** `points` are the values of the x axis, `lines` have a name and one value for each point. */
export function plot({ title, unit, points, lines }) {
  const values = lines.flatMap((line) => line.values).filter((value) => value > 0);
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  const [first, last] = [Math.log10(points[0]), Math.max(Math.log10(points.at(-1)), Math.log10(points[0]) + 1)];
  const x = (value) => AREA.left + ((Math.log10(value) - first) / (last - first)) * (AREA.right - AREA.left);
  const y = (value) => AREA.bottom - ((Math.log10(Math.max(value, 10 ** low)) - low) / Math.max(high - low, 1)) * (AREA.bottom - AREA.top);
  const grid = [];
  for (let power = low; power <= high; power += 1) {
    const at = y(10 ** power).toFixed(1);
    grid.push(`<line x1="${AREA.left}" x2="${AREA.right}" y1="${at}" y2="${at}" stroke="#9ca3af" stroke-opacity="0.4"/>`, text(AREA.left - 8, Number(at) + 4, 10 ** power, 'text-anchor="end"'));
  }
  for (const point of points) grid.push(text(x(point).toFixed(1), AREA.bottom + 20, point.toLocaleString('en'), 'text-anchor="middle"'));
  const drawn = lines.flatMap((line, turn) => {
    const colour = COLOURS[turn % COLOURS.length];
    const places = line.values.map((value, at) => [x(points[at]).toFixed(1), y(value).toFixed(1)]);
    const label = AREA.top + 10 + turn * 24;
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join(',')).join(' ')}"/>`,
      ...places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
      `<line x1="${AREA.right + 16}" x2="${AREA.right + 34}" y1="${label - 4}" y2="${label - 4}" stroke="${colour}" stroke-width="2"/>`,
      text(AREA.right + 40, label, line.name),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#6b7280">
${text(AREA.left, 22, title, 'font-size="14"')}
${text(AREA.left, AREA.top - 6, unit)}
${grid.join('\n')}
${drawn.join('\n')}
${text((AREA.left + AREA.right) / 2, AREA.bottom + 42, 'projects', 'text-anchor="middle"')}
</svg>
`;
}
