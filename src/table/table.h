/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: schema.h says what the columns are, batch.h holds rows by column, format.h turns batches
 * into bytes and back, recording.h rows of many tables into a compact file and back, parquet.h
 * writes Parquet files of any schema (parquet_batch.h: batches; parquet_meta.h: what a footer
 * says), parquet_reader.h reads them (parquet_rows.h: rows as text). This module does not know what
 * any column means. */
#ifndef TK_TABLE_TABLE_H
#define TK_TABLE_TABLE_H

#include "table/batch.h"
#include "table/format.h"
#include "table/parquet.h"
#include "table/parquet_batch.h"
#include "table/parquet_reader.h"
#include "table/parquet_rows.h"
#include "table/recording.h"
#include "table/schema.h"

#endif
