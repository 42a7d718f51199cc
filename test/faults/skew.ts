/**
 * Node's `--import` of this shifts the clock of the process: by the query's `seconds` from the start, and by its `jump`
 * (seconds too) at every SIGUSR2. The monotonic clock stays, as when a time daemon sets a real clock.
 */
const query = new URL(import.meta.url).searchParams;
const real = Date.now.bind(Date);
let offset = Number(query.get("seconds")) * 1000;
process.on("SIGUSR2", () => {
  offset += Number(query.get("jump")) * 1000;
});

const RealDate = Date;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [real() + offset] : args),
  get: (target, key) => (key === "now" ? () => real() + offset : Reflect.get(target, key)),
});
