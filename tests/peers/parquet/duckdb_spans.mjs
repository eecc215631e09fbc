// SPDX-License-Identifier: Apache-2.0
// DuckDB reads a folder of spans: `duckdb_spans.mjs live DIR` again and again until the file DIR.done
// is there, then `check` what must hold of all rows.
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.TK_PEERS, "package.json"));
const { DuckDBInstance } = require("@duckdb/node-api");

const [mode, folder] = process.argv.slice(2);
const db = await (await DuckDBInstance.create(":memory:")).connect();
const files = `read_parquet('${folder}/*.parquet', union_by_name = true)`;

async function one(sql) {
  return Object.values((await db.runAndReadAll(sql)).getRowObjectsJson()[0]).map(Number);
}

function expect(what, got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    console.error(`${what}: ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`);
    process.exit(1);
  }
}

let before = 0;
let looks = 0;
do {
  if (existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".parquet"))) {
    const [rows, ids] = await one(`select count(*), count(distinct span_id) from ${files}`);
    expect("spans that are seen twice", rows - ids, 0);
    expect("spans that are gone", Math.max(before - rows, 0), 0);
    expect("rows of a segment that is not whole", rows % 1000, 0);
    before = rows;
    looks++;
  }
} while (mode === "live" && !existsSync(`${folder}.done`));

if (mode === "check") {
  const n = before;
  expect("roots", await one(`select count(*) from ${files} where parent_span_id is null`), [n / 10]);
  expect("a column of its own", await one(`select count(*) from ${files} where attr_http_route = '/r/3'`), [n / 5]);
  expect("the map", await one(`select count(*) from ${files} where attrs['retry.cause'] = '1'`),
    await one(`select count(*) from range(0, ${n}, 100) t(i) where i % 3 = 1`));
  expect("events", await one(`select sum(len(events)) from ${files}`), [n / 10]);
  expect("an event's name", await one(`select count(*) from ${files} where events[1].name = 'event-2'`), [n / 20]);
  expect("a resource", await one(`select count(*) from ${files} where resource->>'service.name' = 'shop'`), [n]);
  expect("times", await one(`select count(*) from ${files} where epoch_us(start_us) <> start_ns // 1000`), [0]);
  expect("traces by id", await one(`select count(*) from ${files} where trace_id = '02000000000000000000000000000000'`), [10]);
}
console.log(`${before} spans, ${looks} looks`);
