/** The value of a command line's option. @throws Error with the usage for anything but a whole number from 1 on. */
export function wholeNumber(option: string, text: string, usage: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new Error(`${option} ${text}: write a whole number from 1 on\n${usage}`);
  return Number(text);
}
