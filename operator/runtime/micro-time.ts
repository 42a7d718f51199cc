/** A `MicroTime`: exactly six fractional digits; the API server refuses the three of `toISOString`. */
export function microTime(millisecondsSinceEpoch: number): string {
  return new Date(millisecondsSinceEpoch).toISOString().replace("Z", "000Z");
}
