// SPDX-License-Identifier: Apache-2.0
// What DuckDB answers to a query, as an array of rows of texts. usage: duckdb_peer.mjs SQL
import { createRequire } from "node:module";

const require = createRequire(process.env.TK_PEERS + "/");
const { DuckDBInstance } = require("@duckdb/node-api");

const connection = await (await DuckDBInstance.create()).connect();
const reader = await connection.runAndReadAll(process.argv[2]);
console.log(JSON.stringify(reader.getRows().map((row) => row.map(String))));
