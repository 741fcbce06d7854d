// A front end for tests: a page for each part of the API.

import { NetworkError, call, pollForever, polls, session, watch } from "./api.js";
import { showContent, showMfa, showSettings } from "./account.js";
import { $, STATUSES, act, fail, h, show, showNotice } from "./dom.js";
import { jobWatches, openJob, showBoard, showViews } from "./jobs.js";
import { showExports, showImports, showTrash } from "./transfer.js";

// What is polled on each page.
const PAGES = {
  board: () => [["/jobs/board", showBoard], ["/saved-views", showViews]],
  job: jobWatches,
  settings: () => [["/users/me/settings", showSettings]],
  trash: () => [["/trash", showTrash]],
  transfer: () => [["/exports", showExports], ["/imports", showImports]],
  account: () => [["/users/me/deletion", showContent]],
};
const PUBLIC = ["register", "code", "sign-in"];

const open = act(async () => {
  let [page, id] = location.hash.slice(1).split("/");
  if (!PUBLIC.includes(page) && !(session.tokens && page in PAGES)) {
    page = session.tokens ? "board" : "sign-in";
  }
  for (const section of document.querySelectorAll("section")) {
    section.classList.toggle("open", section.id === page);
  }
  for (const nav of document.querySelectorAll("nav")) {
    nav.hidden = nav.classList.contains("signed-in") !== (session.tokens !== null);
  }
  showNotice();
  $("#challenge-step").hidden = true;
  if (page === "job") openJob(id);
  await watch(PAGES[page]?.() ?? []);
  if (page === "settings") showMfa((await call("GET", "/users/me/mfa")).json);
});

for (const select of document.querySelectorAll(".statuses")) {
  const options = select.matches(".any") ? ["", ...STATUSES] : STATUSES;
  select.replaceChildren(...options.map((status) => h("option", {}, status)));
  if (!select.matches(".any")) select.options[STATUSES.indexOf("applied")].defaultSelected = true;
}

let isOffline = false;

window.addEventListener("hashchange", open);
await open();
pollForever((error) => {
  if (error && !(error instanceof NetworkError)) fail(error);
  if (error instanceof NetworkError) show(error.message, true);
  else if (isOffline) show("");
  isOffline = error instanceof NetworkError;
  $("#polls").textContent = `200 ${polls[200]}, 304 ${polls[304]}`;
});
