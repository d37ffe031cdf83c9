/** Runs `step` for 0..count, 16 at a time. */
export async function each(count, step) {
  let next = 0;
  await Promise.all(Array.from({ length: 16 }, async () => { while (next < count) await step(next++); }));
}
