// The board and the page of a job.

import { all, call, pollNow } from "./api.js";
import { $, STATUSES, act, button, download, fill, goTo, h, list, onCreate, onSubmit, put, remove, show, values } from "./dom.js";

export const cardText = (job) => `${job.company_name}: ${job.job_title}`;

const card = (job) =>
  h("div", { class: "card", "data-id": job.id },
    h("a", { href: `#job/${job.id}` }, cardText(job)),
    h("small", {}, [job.location, job.tags.join(", "), job.next_action_title].filter(Boolean).join(" · ")),
    h("small", {}, `${job.last_activity_at}${job.needs_follow_up ? " · follow up" : ""}`),
    h("select", {
      onchange: act(async ({ target }) => {
        await call("PATCH", `/jobs/${job.id}`, { status: target.value });
        await pollNow();
      }),
    }, ...STATUSES.map((status) => h("option", status === job.status ? { selected: "" } : {}, status))));

export const showBoard = ({ statuses, jobs, meta }) =>
  $("#columns").replaceChildren(...statuses.map((status) =>
    h("div", { "data-status": status }, h("b", {}, `${status} ${meta.counts[status]}`),
      ...jobs.filter((job) => job.status === status).map(card))));

async function filter(data) {
  const query = new URLSearchParams(data).toString();
  $("#filtered").hidden = query === "";
  const rows = await all(`/jobs?${query}`);
  list("#filtered", rows, (job) => [h("a", { href: `#job/${job.id}` }, cardText(job))]);
}

onCreate("#add-job", () => "/jobs");
onSubmit("#filter", (form, { view_name, ...data }) => filter(data));

$("#save-view").onclick = act(async () => {
  const { view_name: name, ...data } = values($("#filter"));
  await call("POST", "/saved-views", { name, data }, { "Idempotency-Key": crypto.randomUUID() });
  show(`Saved ${name}.`);
  await pollNow();
});

export const showViews = (views) =>
  list("#views", views, (view) => [
    button(view.name, () => filter(view.data)),
    button("✕", async () => {
      await call("DELETE", `/saved-views/${view.id}`);
      await pollNow();
    }),
  ]);

onSubmit("#search", async (form, { q = "" }) => {
  const { json } = await call("GET", `/jobs/search?${new URLSearchParams({ q })}`);
  list("#hits", json.jobs, (job) => {
    const found = h("span");
    found.innerHTML = job.highlight ?? ""; // HTML, of which the API has escaped the text
    return [h("a", { href: `#job/${job.id}` }, cardText(job)), " ", found];
  });
});

let path = "";
let conflict = null;
const edit = $("#edit-job");

export function openJob(id) {
  path = `/jobs/${id}`;
  edit.isDirty = false;
  $("#job h1").textContent = "";
  $("#conflict").hidden = true;
}

function fillJob(job, etag) {
  fill(edit, { ...job, tags: job.tags.join(", ") });
  edit.etag = etag;
  $("#job h1").textContent = cardText(job);
  $("#conflict").hidden = true;
}

async function saveJob(etag) {
  try {
    const { json, etag: saved } = await call("PATCH", path, values(edit, { blanks: true }), { "If-Match": etag });
    fillJob(json, saved);
    show("Saved.");
    await pollNow();
  } catch (error) {
    if (error.status !== 412) throw error;
    conflict = error.details.current;
    $("#conflict p").textContent = `${error.message} Now it is: ${cardText(conflict)}, ${conflict.status}`;
    $("#conflict").hidden = false;
  }
}

onSubmit("#edit-job", () => saveJob(edit.etag));
$("#keep-mine").onclick = act(() => saveJob("*"));
$("#take-theirs").onclick = act(async () => {
  fillJob(conflict, (await call("GET", path)).etag);
});
$("#delete-job").onclick = act(async () => {
  await call("DELETE", path);
  goTo("board");
});

onCreate("#add-note", () => `${path}/notes`);
onCreate("#add-interview", () => `${path}/interviews`);

onSubmit("#upload", async (form) => {
  const file = form.elements.file.files[0];
  const body = { doc_type: form.elements.doc_type.value, filename: file.name, size_bytes: file.size };
  if (file.type) body.content_type = file.type;
  const { json } = await call("POST", `${path}/documents/presign-upload`, body);
  await put(json, file);
  await call("POST", `${path}/documents/confirm-upload`, { document_id: json.document.id });
  form.reset();
  await pollNow();
});

export const jobWatches = () => [
  [path, (job, etag) => edit.isDirty || fillJob(job, etag)],
  [`${path}/notes`, (rows) => list("#notes", rows, (note) =>
    [note.body, " ", remove(`${path}/notes/${note.id}`)])],
  [`${path}/interviews`, (rows) => list("#interviews", rows, (each) => [
    `${each.scheduled_at} ${each.stage ?? ""} ${each.kind ?? ""} ${each.interviewer ?? ""} ${each.status} `,
    button("Completed", async () => {
      await call("PATCH", `${path}/interviews/${each.id}`, { status: "completed" });
      await pollNow();
    }),
    remove(`${path}/interviews/${each.id}`)])],
  [`${path}/documents`, (rows) => list("#documents", rows, (each) => [
    `${each.doc_type} ${each.original_filename} ${each.size_bytes} ${each.status} `,
    each.status === "uploaded" ? download(`${path}/documents/${each.id}`) : null,
    remove(`${path}/documents/${each.id}`)])],
  [`${path}/history`, (rows) => list("#history", rows, (each) => [`${each.at} ${each.status}`])],
  [`${path}/activity?limit=80`, (rows) => list("#activity", rows, (each) => [each.message])],
];

