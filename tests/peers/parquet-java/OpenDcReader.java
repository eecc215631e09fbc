// SPDX-License-Identifier: Apache-2.0

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.api.InitContext;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.io.api.RecordMaterializer;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.parquet.schema.Type;

/**
 * Reads an export as OpenDC v2.4g and later do: parquet-java is asked for the whole schema of
 * OpenDC, with strict types (opendc.md sections 3 and 4). A row is a line, the values of its columns
 * by tabs, "-" for what is not there.
 *
 * <p>java OpenDcReader tasks|fragments FILE prints its rows; java OpenDcReader judge DIR... whether
 * each export is accepted.
 */
final class OpenDcReader {
    private static final Map<String, String> SCHEMAS = Map.of(
        "tasks", """
            message task {
              required int32 id;
              optional binary name (UTF8);
              required int64 submission_time (TIMESTAMP(MILLIS,true));
              required int64 duration;
              required int32 cpu_count;
              required double cpu_capacity;
              required int64 mem_capacity;
              optional int32 gpu_count;
              optional double gpu_capacity;
              optional group parents (LIST) { repeated group list { optional int32 element; } }
              optional group children (LIST) { repeated group list { optional int32 element; } }
              optional boolean deferrable;
              optional int64 deadline;
            }
            """,
        "fragments", """
            message fragment {
              required int32 id;
              required int64 duration;
              required double cpu_usage;
              optional double gpu_usage;
            }
            """);

    /** Asks for a schema whatever the file has, as OpenDC's own ReadSupport does. */
    private static final class Asking extends ReadSupport<Group> {
        private final MessageType wanted;

        Asking(MessageType wanted) {
            this.wanted = wanted;
        }

        @Override
        public ReadContext init(InitContext context) {
            return new ReadContext(wanted);
        }

        @Override
        public RecordMaterializer<Group> prepareForRead(Configuration configuration,
                Map<String, String> metadata, MessageType fileSchema, ReadContext context) {
            return new GroupRecordConverter(context.getRequestedSchema());
        }
    }

    private static String list(Group row, String name) {
        List<String> items = new ArrayList<>();
        Group list = row.getGroup(name, 0);
        for (int i = 0; i < list.getFieldRepetitionCount("list"); i++) {
            items.add(String.valueOf(list.getGroup("list", i).getInteger("element", 0)));
        }
        return items.toString();
    }

    private static String value(Group row, GroupType schema, int field) {
        Type type = schema.getType(field);
        if (row.getFieldRepetitionCount(field) == 0) {
            return "-";
        }
        return type.isPrimitive() ? row.getValueToString(field, 0) : list(row, type.getName());
    }

    private static String read(String kind, String file) throws Exception {
        MessageType schema = MessageTypeParser.parseMessageType(SCHEMAS.get(kind));
        StringBuilder out = new StringBuilder();
        try (ParquetReader<Group> reader =
                ParquetReader.builder(new Asking(schema), new Path(file)).build()) {
            for (Group row = reader.read(); row != null; row = reader.read()) {
                for (int field = 0; field < schema.getFieldCount(); field++) {
                    out.append(field > 0 ? "\t" : "").append(value(row, schema, field));
                }
                out.append('\n');
            }
        }
        return out.toString();
    }

    private static String judge(String folder) throws Exception {
        try {
            for (String kind : List.of("tasks", "fragments")) {
                read(kind, folder + "/" + kind + ".parquet");
            }
            return "accepted";
        } catch (RuntimeException error) {
            Throwable cause = error;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            return "refused: " + cause.getMessage().replaceAll("\\s+", " ");
        }
    }

    public static void main(String[] args) throws Exception {
        if (!args[0].equals("judge")) {
            System.out.print(read(args[0], args[1]));
            return;
        }
        for (int i = 1; i < args.length; i++) {
            System.out.println(args[i] + " " + judge(args[i]));
        }
    }
}
