/** What stands in the middle by `of`; the upper one, where there are two. */
export const median = (all, of = (each) => each) => [...all].sort((a, b) => of(a) - of(b))[Math.floor(all.length / 2)];

/** Measures so many times, one after the other. */
export async function repeat(rounds, measure) {
  const all = [];
  for (let round = 0; round < rounds; round += 1) all.push(await measure());
  return all;
}
