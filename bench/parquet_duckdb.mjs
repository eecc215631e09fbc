// SPDX-License-Identifier: Apache-2.0
// node parquet_duckdb.mjs DIR: each of its Parquet files again by DuckDB, and how large both are.
import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'tracekit-peers');
const whole = () => readdirSync(cache).find((name) => existsSync(path.join(cache, name, 'npm/node_modules/@duckdb/node-api')));
const home = process.env.TK_PEERS ?? path.join(cache, whole(), 'npm');
const { DuckDBInstance } = createRequire(path.join(home, 'package.json'))('@duckdb/node-api');
const db = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();

const folder = process.argv[2];
console.log('| file | tracekit, bytes | DuckDB V1 | DuckDB V2 | DuckDB V1, CPU s |\n| --- | --- | --- | --- | --- |');
for (const name of readdirSync(folder).sort()) {
  const file = path.join(folder, name);
  const codec = name.replace(/.*-|\.parquet/g, '').replace('none', 'uncompressed');
  const sizes = [];
  let seconds = 0;
  await db.run(`CREATE OR REPLACE TEMP TABLE t AS FROM '${file}'`);
  for (const version of ['V1', 'V2']) {
    const copy = path.join(folder, 'copy');
    const before = process.cpuUsage();
    await db.run(`COPY t TO '${copy}' (FORMAT parquet, CODEC '${codec}', PARQUET_VERSION ${version}, ROW_GROUP_SIZE 262144)`);
    const used = process.cpuUsage(before);
    if (version === 'V1') seconds = (used.user + used.system) / 1e6;
    sizes.push(statSync(copy).size);
    unlinkSync(copy);
  }
  const ours = statSync(file).size;
  const ratio = (size) => `${size} (${(ours / size).toFixed(2)}x)`;
  console.log(`| ${name} | ${ours} | ${sizes.map(ratio).join(' | ')} | ${seconds.toFixed(2)} |`);
}
