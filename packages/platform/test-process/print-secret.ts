import { loadConfig } from "../config.ts";

/** Prints the secret of the data folder argv[2]. */
process.stdout.write(loadConfig({ env: { GAKUEN_DATA_DIR: process.argv[2] } }).secret);
