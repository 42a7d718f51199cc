/** What names a credential in a log: SGLang prints its arguments when it starts (sgl-project/sglang issue 37457). */
const named =
  /(\b(?:\w*api_key|\w*password|\w*(?:hf|access|auth)_token)["']?\s*[=:]\s*)('[^']*'?|"[^"]*"?)/gi;
const option = /(--[\w-]*api-key[=\s]+)("[^"]*"|'[^']*'|\S+)/gi;
const bearer = /(\bBearer\s+)\S+/gi;
/** Hugging Face's own form. */
const huggingFace = /\bhf_[A-Za-z0-9]{6,}/g;
/** The kubelet keeps the end of a log, which may begin amid a value. */
const cutValue = /^[^'"\s=,]*(?=['"], ["']?\w+["']?[=:])/;

const hidden = "[hidden]";

/** Last words of a container without the credentials in them: more people read a status than may read a Secret. */
export function withoutCredentials(log: string): string {
  return log
    .replace(named, `$1'${hidden}'`)
    .replace(option, `$1${hidden}`)
    .replace(bearer, `$1${hidden}`)
    .replace(huggingFace, hidden)
    .replace(cutValue, hidden);
}
