// SPDX-License-Identifier: Apache-2.0
// DuckDB and hyparquet as the other side.
//
//     node duckdb_peer.mjs write DIR            files of DuckDB for the reader
//     node duckdb_peer.mjs compare TK FILE...   tracekit, DuckDB and hyparquet see the same rows
//     node duckdb_peer.mjs prune FILE           equality finds every row, through filters and indexes
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.TK_PEERS, 'package.json'));
const load = (name) => import(require.resolve(name));
const { DuckDBInstance } = require('@duckdb/node-api');

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const db = await instance.connect();
const query = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson();
const fail = (text) => { throw new Error(text); };

const table = `
  SELECT i::INTEGER AS i32,
    CASE WHEN i % 5 > 0 THEN i * i * i END AS i64,
    CASE WHEN i % 7 > 0 THEN sin(i) END AS f64,
    (i / 3)::FLOAT AS f32,
    i % 3 = 0 AS flag,
    CASE WHEN i % 4 > 0 THEN 'name ' || (i % 40) END AS name,
    'key ' || hash(i) AS uniq,
    (i::UTINYINT % 200)::UTINYINT AS small,
    i::DECIMAL(18, 3) / 8 AS dec,
    [x FOR x IN range(i % 4)] AS list,
    MAP {'a': i, 'b': i + 1} AS map,
    {'x': i, 'y': CASE WHEN i % 2 = 0 THEN 'even' END} AS struct
  FROM range(0, 200) t(i) UNION ALL SELECT * REPLACE (0::UTINYINT AS small) FROM
  (SELECT i::INTEGER AS i32, i AS i64, i / 2 AS f64, 1.5::FLOAT AS f32, true AS flag, NULL AS name, 'tail' AS uniq,
    0::UTINYINT AS small, 1::DECIMAL(18, 3) AS dec, [i] AS list, MAP {'z': i} AS map, {'x': i, 'y': 'y'} AS struct
   FROM range(200, 6000) t(i))`;

async function write(folder) {
  for (const version of ['V1', 'V2']) {
    for (const codec of ['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4_raw', 'brotli']) {
      await db.run(`COPY (${table}) TO '${folder}/${codec}-${version}.parquet'
        (FORMAT parquet, CODEC '${codec}', PARQUET_VERSION ${version}, ROW_GROUP_SIZE 2048)`);
    }
  }
}

// As `tracekit parquet cat --raw` has it. DuckDB gives 64-bit integers and decimals as text.
const plain = (value) => JSON.stringify(value, (_, v) => {
  if (typeof v === 'bigint') return v >= -(2n ** 53n) && v <= 2n ** 53n ? Number(v) : v.toString();
  if (v instanceof Uint8Array) return Buffer.from(v).toString('hex');
  return typeof v === 'number' && !Number.isFinite(v) ? null : v;
});

const cat = (tk, file, ...options) =>
  execFileSync(tk, ['parquet', 'cat', ...options, file], { maxBuffer: 1 << 30 }).toString().split('\n').slice(0, -1);

// Let DuckDB itself read our lines, with the types of the file, and take the difference.
async function compareDuckdb(tk, file) {
  const lines = `${process.env.TK_SCRATCH}/rows.jsonl`;
  const { writeFileSync } = await import('node:fs');
  const rows = cat(tk, file);
  writeFileSync(lines, rows.map((row) => row + '\n').join(''));
  const columns = (await query(`DESCRIBE SELECT * FROM '${file}'`)).filter(
    (c) => !/BLOB/.test(c.column_type) && !['odd', 'f32'].includes(c.column_name));
  const types = columns.map((c) => `"${c.column_name}": '${c.column_type.replaceAll("'", "''")}'`).join(', ');
  const names = columns.map((c) => `"${c.column_name}"`).join(', ');
  const ours = rows.length
    ? `SELECT ${names} FROM read_json('${lines}', format = 'newline_delimited', columns = {${types}})`
    : `(SELECT ${names} FROM '${file}' LIMIT 0)`;
  const theirs = `SELECT ${names} FROM '${file}'`;
  const [{ n }] = await query(`SELECT count(*)::INTEGER AS n FROM '${file}'`);
  if (n !== rows.length) fail(`${file}: ${rows.length} rows, DuckDB has ${n}`);
  const [{ d }] = await query(`SELECT count(*)::INTEGER AS d FROM
    ((${ours} EXCEPT ALL ${theirs}) UNION ALL (${theirs} EXCEPT ALL ${ours}))`);
  if (d !== 0) fail(`${file}: ${d} rows differ from DuckDB's`);
  console.log(`${file}: ${n} rows alike`);
}

async function compareHyparquet(tk, file) {
  const { asyncBufferFromFile, parquetReadObjects } = await load('hyparquet');
  const { compressors } = await load('hyparquet-compressors');
  const plainTypes = ['INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'VARCHAR'];
  const columns = await query(`DESCRIBE SELECT * FROM '${file}'`);
  const notInJson = ['extreme', 'odd']; // JavaScript's JSON rounds the one and has no NaN
  const names = columns.map((c) => c.column_name).filter(
    (name, i) => plainTypes.includes(columns[i].column_type) && !notInJson.includes(name));
  const theirs = await parquetReadObjects({ file: await asyncBufferFromFile(file), compressors, columns: names });
  const ours = cat(tk, file, '--raw', '--columns', names.join(','));
  if (ours.length !== theirs.length) fail(`${file}: ${ours.length} rows, hyparquet has ${theirs.length}`);
  theirs.forEach((row, i) => {
    const wanted = plain(Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
    if (plain(JSON.parse(ours[i])) !== wanted) fail(`${file}: row ${i}: ${ours[i]}, hyparquet has ${wanted}`);
  });
}

// Each name is found as often as it is there: what statistics and filters leave out must not hold it.
async function prune(file) {
  for (const column of ['name', 'uniq', 'unique', 'uuid', 'i64', 'i32']) {
    if (!(await query(`DESCRIBE SELECT * FROM '${file}'`)).some((c) => c.column_name === column)) continue;
    const wanted = await query(`SELECT "${column}"::VARCHAR AS v, count(*)::INTEGER AS n
      FROM (SELECT "${column}" FROM '${file}') WHERE "${column}" IS NOT NULL GROUP BY 1 ORDER BY hash(1) LIMIT 25`);
    const [{ t }] = await query(`SELECT column_type AS t FROM (DESCRIBE SELECT "${column}" FROM '${file}')`);
    for (const { v, n } of wanted) {
      const [{ c }] = await query(`SELECT count(*)::INTEGER AS c FROM '${file}'
        WHERE "${column}" = '${v.replaceAll("'", "''")}'::${t}`);
      if (c !== n) fail(`${file}: ${column} = ${v}: ${c} rows, not ${n}`);
    }
  }
  console.log(`${file}: every row is found`);
}

const [command, ...args] = process.argv.slice(2);
if (command === 'write') await write(args[0]);
for (const file of command === 'write' ? [] : args.slice(command === 'compare' ? 1 : 0)) {
  if (command === 'prune') await prune(file);
  if (command === 'compare') await compareDuckdb(args[0], file);
  if (command === 'compare') await compareHyparquet(args[0], file);
}
