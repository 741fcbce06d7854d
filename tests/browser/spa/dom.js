// Elements and forms.

import { ApiError, NetworkError, call, pollNow, session } from "./api.js";

export const STATUSES = ["saved", "applied", "recruiter_screen", "interviewing", "onsite", "offer",
  "accepted", "rejected", "withdrawn", "ghosted", "archived"];

export const $ = (selector) => document.querySelector(selector);

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function show(text, isError = false) {
  $("#message").textContent = text;
  $("#message").classList.toggle("error", isError);
}

// A message that is shown on the page that is opened next.
let notice = ["", false];

export function goTo(page, message = "", isError = false) {
  notice = [message, isError];
  if (location.hash === `#${page}`) window.dispatchEvent(new Event("hashchange"));
  else location.hash = page;
}

export function showNotice() {
  show(...notice);
  notice = ["", false];
}

export function fail(error, form) {
  if (!(error instanceof ApiError || error instanceof NetworkError)) console.error(error);
  if (error.status === 401 && !session.tokens && !form) return; // the sign-in page says why
  for (const { loc, msg } of error.details?.errors ?? []) {
    const field = form?.elements[loc[1]];
    field?.setAttribute("aria-invalid", "true");
    field?.setAttribute("title", msg);
  }
  show(error.message + (error.status >= 500 ? ` (${error.requestId})` : ""), true);
}

export const act = (action) => async (event) => {
  event?.preventDefault();
  try {
    await action(event);
  } catch (error) {
    fail(error);
  }
};

export const button = (text, action) => h("button", { type: "button", onclick: act(action) }, text);

export const list = (selector, rows, render) =>
  $(selector).replaceChildren(...rows.map((row) => h("li", { "data-id": row.id }, ...render(row))));

// The values of a form, without what is blank.
export function values(form, { blanks = false } = {}) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || field.type === "file") continue;
    const value = field.type === "checkbox" ? field.checked : field.value;
    if (value !== "" || blanks) found[field.name] = value === "" ? null : value;
  }
  if ("tags" in found) found.tags = (found.tags ?? "").split(",");
  return found;
}

export function onSubmit(selector, action) {
  const form = $(selector);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const field of form.elements) field.removeAttribute("aria-invalid");
    show("");
    try {
      await action(form, values(form));
    } catch (error) {
      fail(error, form);
    }
  });
}

// A form that makes something, once: until there is a response, another click sends the same key.
export function onCreate(selector, path) {
  const keys = new Map();
  onSubmit(selector, async (form, body) => {
    const sent = JSON.stringify(body);
    if (!keys.has(sent)) keys.set(sent, crypto.randomUUID());
    try {
      await call("POST", path(), body, { "Idempotency-Key": keys.get(sent) });
    } finally {
      keys.delete(sent);
    }
    if (JSON.stringify(values(form)) === sent) form.reset();
    await pollNow();
  });
}

// A form that is polled keeps what the user has entered, until it is saved.
for (const type of ["input", "change"]) {
  document.addEventListener(type, ({ target }) => target.form && (target.form.isDirty = true));
}

export function fill(form, row) {
  for (const field of form.elements) {
    if (field.name in row) field.value = row[field.name] ?? "";
  }
  form.isDirty = false;
}

export const remove = (path) =>
  button("Delete", async () => {
    await call("DELETE", path);
    await pollNow();
  });

export async function put({ upload_url, upload_headers }, file) {
  const response = await fetch(upload_url, { method: "PUT", headers: upload_headers, body: file });
  if (!response.ok) throw new NetworkError(`The upload failed: ${response.status}`);
}

export const download = (path) =>
  button("Download", async () => {
    location.assign((await call("GET", `${path}/presign-download`)).json.download_url);
  });
