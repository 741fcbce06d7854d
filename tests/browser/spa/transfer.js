// The trash, exports and imports.

import { call, finished, pollNow } from "./api.js";
import { $, act, button, download, h, list, onCreate, onSubmit, put, remove, show, values } from "./dom.js";
import { cardText } from "./jobs.js";

export const showTrash = (rows) =>
  list("#trashed", rows, (each) => [
    `${each.kind} ${each.title} ${each.reason} ${each.trashed_at} `,
    button("Restore", async () => {
      await call("POST", `/trash/${each.kind}/${each.id}/restore`);
      await pollNow();
    }),
    remove(`/trash/${each.kind}/${each.id}`),
  ]);

$("#empty").onclick = act(async () => {
  const { location: task } = await call("DELETE", "/trash");
  const { result } = await finished(task);
  show(`The trash is empty: ${JSON.stringify(result)}`);
  await pollNow();
});

onCreate("#export", () => "/exports");

$("#report").onclick = act(async () => {
  const { text } = await call("GET", "/reports/applications.csv");
  const file = new Blob(["\ufeff", text], { type: "text/csv" }); // text() removes the BOM
  const href = URL.createObjectURL(file);
  h("a", { href, download: "applications.csv" }).click();
});

export const showExports = (rows) =>
  list("#exports", rows, (each) => [
    `${each.created_at} ${each.state} ${each.size_bytes ?? ""} `,
    each.state === "done" ? download(`/exports/${each.id}`) : null,
    remove(`/exports/${each.id}`),
  ]);

onSubmit("#import", async (form) => {
  const file = form.elements.file.files[0];
  const { json } = await call("POST", "/imports", { filename: file.name, size_bytes: file.size });
  await put(json, file);
  await call("POST", `/imports/${json.import.id}/check`);
  form.reset();
  await pollNow();
});

export const showImports = (rows) =>
  list("#imports", rows, (each) => [
    `${each.filename} ${each.state} ${JSON.stringify(each.report)} `,
    each.state === "checked" && each.report.is_importable
      ? button("Import", async () => {
          await call("POST", `/imports/${each.id}/run`, { on_duplicate: "skip" });
          await pollNow();
        })
      : null,
    button("Undo", async () => {
      await finished((await call("DELETE", `/imports/${each.id}`)).location);
      await pollNow();
    }),
  ]);

onSubmit("#csv", async (form, body) => {
  const { json } = await call("POST", "/imports/csv/check", body);
  const formats = json.date_formats.length > 1 && !body.date_format ? ["", ...json.date_formats] : json.date_formats;
  form.elements.date_format.replaceChildren(...formats.map((each) => h("option", {}, each)));
  $("#csv-check").replaceChildren(
    h("p", {}, Object.entries(json.mapping).map((pair) => pair.join(" → ")).join(", ")),
    h("ul", {}, ...json.errors.map(({ row, msg }) => h("li", {}, `Row ${row}: ${msg}`))),
    h("p", {}, `Unknown statuses: ${json.unknown_statuses.join(", ")}`),
    h("ol", {}, ...json.sample.map((job) => h("li", {}, `${cardText(job)} ${job.status} ${job.applied_date}`))));
  $("#import-csv").disabled = json.errors.some(({ row }) => row === null);
});

$("#import-csv").onclick = act(async () => {
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const { json } = await call("POST", "/imports/csv", values($("#csv")), headers);
  show(`Created ${json.created}, skipped ${json.skipped}, failed ${json.failed.length}.`);
  await pollNow();
});

