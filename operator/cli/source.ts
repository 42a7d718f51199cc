import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import type { Finding } from "./finding.ts";

/** Room for thousands of deployments; parsing what is larger would take minutes. */
export const maxSourceMib = 4;

const byCode: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file: check the path",
  EACCES: "may not be read: check its permissions",
  EISDIR: "is a folder: name the files in it, for example with -f folder/*.yaml",
};

export type SourceText = { readonly source: string; readonly text: string } | Finding;

/** The text of a file, or of standard input for "-". */
export async function readSource(path: string, stdin: Readable): Promise<SourceText> {
  const source = path === "-" ? "standard input" : path;
  const refused = (code: string, message: string): Finding => ({
    place: { source },
    code,
    field: "",
    message,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of path === "-" ? stdin : createReadStream(path)) {
      bytes += chunk.length;
      if (bytes > maxSourceMib * 2 ** 20) {
        return refused("TooLarge", `is larger than ${maxSourceMib} MiB: split it into several files`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && typeof error.code === "string")) throw error;
    return refused("Unreadable", byCode[error.code] ?? `can't be read: ${error.message}`);
  }
  try {
    return { source, text: new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)) };
  } catch {
    return refused("NotUtf8", "is not UTF-8 text: save it in that encoding");
  }
}
