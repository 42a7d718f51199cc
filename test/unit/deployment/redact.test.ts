import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withoutCredentials } from "../../../operator/deployment/redact.ts";

const key = "sk-7f3b.x_Y+z/9";

describe("credentials in a container's last words are hidden", () => {
  test.each([
    [
      "SGLang's arguments as it prints them",
      `server_args=ServerArgs(model_path='/models', api_key='${key}', log_level='info')`,
    ],
    ["the administrator's key", `ServerArgs(admin_api_key='${key}', dp_size=1)`],
    ["as JSON", `{"api_key": "${key}", "dp_size": 1}`],
    ["as a command line", `usage: sglang serve --api-key ${key} --port 30000`],
    ["as a command line with =", `sglang serve --api-key=${key}`],
    ["in a header", `Authorization: Bearer ${key}`],
    ["cut off at its end", `server_args=ServerArgs(api_key='${key}`],
    ["cut off at its beginning", `${key}', log_level='info', dp_size=1)`],
    ["a password of a key file", `ssl_keyfile_password='${key}'`],
    ["a token by its name", `hf_token="${key}"`],
  ])("%s", (_, log) => {
    expect(withoutCredentials(log)).not.toContain(key);
    expect(withoutCredentials(log)).toContain("[hidden]");
  });

  test("a token of Hugging Face's, wherever it is", () => {
    const said = withoutCredentials("401 for url https://user:hf_AbCdEfGhIjKlMnOp@huggingface.co/x");
    expect(said).toBe("401 for url https://user:[hidden]@huggingface.co/x");
  });

  test("any key that SGLang may have been given, between the other arguments", () => {
    const keys = fc.string({ minLength: 8 }).filter((text) => !/['\\]/.test(text) && text.trim() !== "");
    fc.assert(
      fc.property(keys, (secret) => {
        const log = `ServerArgs(host='0.0.0.0', api_key='${secret}', dp_size=1)`;
        expect(withoutCredentials(log)).toBe("ServerArgs(host='0.0.0.0', api_key='[hidden]', dp_size=1)");
      }),
    );
  });
});

describe("the reason of a crash stays", () => {
  test.each([
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "ValueError: --tokenizer-path='/models/x' has no chat template, max_total_tokens=1000, eos_token='</s>'",
    "RuntimeError: NCCL error in ProcessGroupNCCL.cpp:3690, unhandled system error",
    "KeyError: 'api_key'",
    "",
  ])("%s", (log) => {
    expect(withoutCredentials(log)).toBe(log);
  });
});
