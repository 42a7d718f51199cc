import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The SGLang wheels commands are judged with, and what each stands for. One wheel (Linux,
 * CPython 3.11) is taken on every machine, so that the digest is the same everywhere; only its
 * Python files are used.
 */
const SHA256 = {
  /** The first release with MiMo-V2-Flash; stands for the image built from its pull request. */
  "0.5.7": "b77f9e5ca5a2ab19b3efba725958fc4de20ba97880e383738c695e8611b51100",
  /** The first release with MiMoV2ForCausalLM; stands for the day-0 images of V2.5 and V2.5-Pro. */
  "0.5.11": "fe0748beaff218d3e16c9018a5e19f018db06fc3c7ac4f90d2f93da1cf074b6f",
  "0.5.18": "e97b585dd2d5db2802599feba47c84cce972f5e1231a6816fef996200207b5cf",
  "0.5.23": "00b3cd5b265ac76c64185fbb6b95424f324ddd9f428d0306b77bc9db9d859937",
} as const;

export type WheelVersion = keyof typeof SHA256;

export const WHEEL_VERSIONS: readonly WheelVersion[] = ["0.5.7", "0.5.11", "0.5.18", "0.5.23"];

/** The only library the wheels need for their arguments: ServerArgs is one of its structs. */
const MSGSPEC = "msgspec==0.22.0";

const OLDEST_PYTHON_MINOR = 11;

export interface Wheel {
  /** Folder that holds the wheel's `sglang` package, Python files only. */
  readonly source: string;
  /** Folder to import msgspec from. */
  readonly libraries: string;
  /** Folder for compiled bytecode, so that none lands in the source tree. */
  readonly bytecode: string;
}

/**
 * Fetches one SGLang wheel unless the user's cache has it.
 * @throws when Python or pip is missing or too old, or the package index can't be reached.
 */
export async function fetchWheel(version: WheelVersion): Promise<Wheel> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mimo-operator", "sglang");
  await mkdir(cache, { recursive: true });
  const python = await pythonVersion();
  return {
    source: await once(cache, version, (folder) => unpackWheel(version, folder)),
    libraries: await once(cache, `msgspec-python${python}`, (folder) =>
      pip(["install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", folder, MSGSPEC], MSGSPEC),
    ),
    bytecode: join(cache, `bytecode-python${python}`),
  };
}

async function unpackWheel(version: WheelVersion, folder: string): Promise<void> {
  const started = performance.now();
  process.stderr.write(`SGLang ${version}: fetching its wheel\n`);
  const requirements = join(folder, "requirements.txt");
  await writeFile(requirements, `sglang==${version} --hash=sha256:${SHA256[version]}\n`);
  const target = [
    "--platform",
    "manylinux_2_34_x86_64",
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
  ];
  await pip(
    ["download", "--quiet", "--no-deps", "--only-binary=:all:", ...target, "-r", requirements, "-d", folder],
    `sglang==${version}`,
  );
  const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined)
    throw new Error(`pip said it fetched sglang==${version}, but left no wheel in ${folder}.`);
  const { size: bytes } = await stat(join(folder, wheel));
  const { stdout } = await run("python3", [
    join(import.meta.dirname, "unpack.py"),
    join(folder, wheel),
    folder,
  ]);
  await rm(join(folder, wheel));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const mib = (bytes / 2 ** 20).toFixed(1);
  process.stderr.write(
    `SGLang ${version}: ${stdout.trim()} Python files of a ${mib} MiB wheel, ${seconds} s\n`,
  );
}

/** Fills cache/name at most once, also when several processes try at the same time. */
async function once(cache: string, name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const final = join(cache, name);
  if (existsSync(final)) return final;
  const staging = await mkdtemp(join(cache, `.${name}-`));
  try {
    await fill(staging);
    await rename(staging, final);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!existsSync(final)) throw error;
  }
  return final;
}

async function pythonVersion(): Promise<string> {
  const { stdout } = await run("python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).catch(
    (error: unknown) => {
      throw new Error(
        `python3 can't be run. SGLang's argument parser needs Python 3.${OLDEST_PYTHON_MINOR} or newer with pip: ` +
          "install it and put it on PATH.",
        { cause: error },
      );
    },
  );
  const version = stdout.trim();
  const [major, minor] = version.split(".").map(Number);
  if (major !== 3 || minor === undefined || minor < OLDEST_PYTHON_MINOR) {
    throw new Error(
      `python3 is Python ${version}. SGLang's argument parser needs 3.${OLDEST_PYTHON_MINOR} or newer: ` +
        "put a newer python3 first on PATH.",
    );
  }
  return version;
}

async function pip(arguments_: readonly string[], what: string): Promise<void> {
  try {
    await run("python3", ["-m", "pip", "--disable-pip-version-check", ...arguments_]);
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
    const remedy = said.includes("No module named pip")
      ? "Install pip for python3 (Debian: python3-pip)."
      : "Check that pip reaches its package index (PIP_INDEX_URL, HTTPS_PROXY, PIP_CERT).";
    throw new Error(`pip couldn't fetch ${what}. ${remedy}\n${said.split("\n").slice(-3).join("\n")}`, {
      cause: error,
    });
  }
}
