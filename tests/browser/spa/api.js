// The client of the API, which is of another origin: /?api=http://127.0.0.1:6543

const API = new URLSearchParams(location.search).get("api");
const POLL_MS = 1000;
// Seconds of Retry-After that are waited for; longer ones are shown to the user.
const MAX_WAIT = 5;

export const session = {
  tokens: JSON.parse(localStorage.getItem("tokens")),
  onEnd: () => {},
  save(tokens) {
    this.tokens = tokens;
    if (tokens) localStorage.setItem("tokens", JSON.stringify(tokens));
    else localStorage.removeItem("tokens");
  },
};

export class NetworkError extends Error {}

export class ApiError extends Error {
  constructor(response, body) {
    super(body?.message ?? `Status ${response.status}`);
    this.status = response.status;
    this.error = body?.error;
    this.details = body?.details ?? {};
    this.requestId = response.headers.get("X-Request-ID");
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function send(method, url, body, headers) {
  const all = { ...headers };
  if (body !== undefined) all["Content-Type"] = "application/json";
  if (session.tokens) all.Authorization = `Bearer ${session.tokens.access_token}`;
  const text = body === undefined ? undefined : JSON.stringify(body);
  return fetch(url, { method, headers: all, body: text, credentials: "include" });
}

// A URL of a response (Location, Link) is a reference, relative to that of the request.
async function request(method, url, body, headers = {}) {
  let refreshed = false;
  for (;;) {
    let response;
    try {
      response = await send(method, url, body, headers);
    } catch {
      // Whether the server has done it is not known. With a key it is safe to send it again.
      if (!("Idempotency-Key" in headers)) throw new NetworkError("The server cannot be reached.");
      await sleep(POLL_MS / 2);
      continue;
    }
    const text = await response.text();
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const json = text && isJson ? JSON.parse(text) : null;
    if (response.ok || response.status === 304) {
      const next = response.headers.get("Link")?.match(/<([^>]+)>; rel="next"/)?.[1];
      const made = response.headers.get("Location");
      return {
        status: response.status,
        json,
        text,
        etag: response.headers.get("ETag"),
        location: made && new URL(made, response.url).href,
        next: next && new URL(next, response.url).href,
      };
    }
    const wait = Number(response.headers.get("Retry-After"));
    if (response.status === 401 && session.tokens && !url.includes("/auth/")) {
      if (!refreshed && (await refresh())) {
        refreshed = true;
        continue;
      }
      if (session.tokens) {
        session.save(null);
        session.onEnd(json.message); // once, for all requests that were refused
      }
    } else if (wait && wait <= MAX_WAIT) {
      await sleep(wait * 1000);
      continue;
    }
    throw new ApiError(response, json);
  }
}

export const call = (method, path, ...rest) =>
  request(method, path.startsWith("http") ? path : API + path, ...rest);

let refreshing = null;

function refresh() {
  const { refresh_token } = session.tokens;
  refreshing ??= call("POST", "/auth/cognito/refresh", { refresh_token })
    .then(({ json }) => (session.save(json.tokens), true))
    .catch((error) => {
      if (error instanceof ApiError && error.status === 401) return false;
      throw error;
    })
    .finally(() => (refreshing = null));
  return refreshing;
}

// All rows of a list, over its pages.
export async function all(path) {
  const rows = [];
  for (let next = path; next; ) {
    const page = await call("GET", next);
    rows.push(...page.json);
    next = page.next;
  }
  return rows;
}

// The end of a task, by the Location of its 202.
export async function finished(url) {
  for (;;) {
    const { json } = await call("GET", url);
    if (!["queued", "running"].includes(json.state)) return json;
    await sleep(POLL_MS / 2);
  }
}

// What the open page shows: each is polled with the ETag of its last response.
let watches = [];
export const polls = { 200: 0, 304: 0 };

export function watch(list) {
  watches = list.map(([path, render]) => ({ path, render, etag: null }));
  return pollNow();
}

async function poll(each) {
  const headers = each.etag ? { "If-None-Match": each.etag } : {};
  const { status, json, etag } = await call("GET", each.path, undefined, headers);
  polls[status] += 1;
  if (status === 200 && watches.includes(each)) {
    each.etag = etag;
    each.render(json, etag);
  }
}

export const pollNow = () => Promise.all(watches.map(poll));

// onEnd gets the error of each round, or null.
export async function pollForever(onEnd) {
  for (;;) {
    await sleep(POLL_MS);
    await pollNow().then(() => onEnd(null), onEnd);
  }
}
