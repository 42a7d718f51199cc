#!/usr/bin/env node
// One file holds the operator and the command; each loads only its own part.
if (process.argv[2] === "operator") {
  process.argv.splice(2, 1);
  await import("../operator/main.ts");
} else {
  await import("../operator/cli/mimo.ts");
}
