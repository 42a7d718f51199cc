/** Where in the input something was found, as a person would look for it. */
export interface Place {
  /** File name as given, or "standard input". */
  readonly source: string;
  /** Documents of a file count from 1; undefined for the file as a whole. */
  readonly document?: number | undefined;
  /** Item of a List, from 0. */
  readonly item?: number | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** One reason why a document, or a file, can't be used. */
export interface Finding {
  readonly place: Place;
  /** "MiMoDeployment team-a/pro", where that much could be read. */
  readonly subject?: string;
  readonly code: string;
  /** "spec.contextLength"; empty for the whole document. */
  readonly field: string;
  /** What is wrong and what to write instead. */
  readonly message: string;
}

/** `pro.yaml:12: document 2, MiMoDeployment team-a/pro: spec.hardware takes one of ... (UnsupportedValue)` */
export function formatFinding({ place, subject, code, field, message }: Finding): string {
  const about = [...(place.document === undefined ? [] : [formatDocument(place)]), subject ?? []].flat();
  const words = message.includes(field) ? message : `${field}: ${message}`;
  return [
    formatPosition(place),
    ...(about.length === 0 ? [] : [about.join(", ")]),
    `${words} (${code})`,
  ].join(": ");
}

/** `pro.yaml:12:3`, the form that editors and terminals make a link of. */
function formatPosition({ source, line, column }: Place): string {
  return [source, line ?? [], (line !== undefined && column) || []].flat().join(":");
}

/** `document 2, items[0]` */
export function formatDocument({ document, item }: Place): string {
  return item === undefined ? `document ${document}` : `document ${document}, items[${item}]`;
}
