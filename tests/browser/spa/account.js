// Registration, sign-in, settings and the end of the account.

import { call, session } from "./api.js";
import { $, act, fill, goTo, h, onSubmit, show, values } from "./dom.js";

let challenge = null;

function toCode(email, message) {
  $("#code [name=email]").value = email;
  goTo("code", message);
}

async function signedIn({ json }, email) {
  if (json.status === "CHALLENGE") {
    challenge = { email, challenge_name: json.challenge_name, session: json.session };
    $("#challenge-step").hidden = false;
    show(json.message);
    return;
  }
  session.save(json.tokens);
  const me = (await call("GET", "/users/me")).json;
  for (const form of [$("#password-step"), $("#challenge-step")]) form.reset();
  if (me.is_email_verified) goTo("board");
  else toCode(email, "Please confirm your address.");
}

onSubmit("#register form", async (form, body) => {
  const { json } = await call("POST", "/auth/cognito/signup", body);
  form.reset();
  if (json.status === "CONFIRMATION_REQUIRED") toCode(body.email, json.message);
  else goTo("sign-in");
});

onSubmit("#code form", async (form, body) => {
  const { json } = await call("POST", "/auth/cognito/verification/confirm", body);
  form.reset();
  goTo("sign-in", json.message);
});

$("#send-code").onclick = act(async () => {
  const { email } = values($("#code form"));
  show((await call("POST", "/auth/cognito/verification/send", { email })).json.message);
});

onSubmit("#password-step", async (form, body) => {
  try {
    await signedIn(await call("POST", "/auth/cognito/login", body), body.email);
  } catch (error) {
    if (error.error !== "EMAIL_NOT_VERIFIED") throw error;
    toCode(error.details.email, error.message);
  }
});

onSubmit("#challenge-step", async (form, { code }) => {
  const responses = { SOFTWARE_TOKEN_MFA_CODE: code };
  await signedIn(await call("POST", "/auth/cognito/challenge", { ...challenge, responses }), challenge.email);
});

session.onEnd = (message) => goTo("sign-in", message, true);

$("#sign-out").onclick = act(async () => {
  const { refresh_token } = session.tokens;
  const { json } = await call("POST", "/auth/cognito/logout", { refresh_token });
  session.save(null);
  goTo("sign-in", json.message);
});

const settingsForm = $("#edit-settings");

export const showSettings = (settings) => {
  document.documentElement.style.colorScheme = settings.theme;
  if (!settingsForm.isDirty) fill(settingsForm, settings);
};

onSubmit("#edit-settings", async (form, body) => {
  for (const name of ["auto_refresh_seconds", "data_retention_days"]) body[name] = Number(body[name]);
  const { json } = await call("PUT", "/users/me/settings", body);
  fill(form, json);
  show(json.message);
});

onSubmit("#change-password", async (form, body) => {
  const { json } = await call("POST", "/users/me/change-password", body);
  form.reset();
  session.save(null);
  goTo("sign-in", json.message);
});

export const showMfa = ({ enabled }) => {
  $("#mfa").textContent = enabled ? "on" : "off";
  $("#secret").textContent = "";
};

$("#begin-mfa").onclick = act(async () => {
  $("#secret").textContent = (await call("POST", "/users/me/mfa", {})).json.secret_code;
});
onSubmit("#confirm-mfa", async (form, body) => {
  showMfa((await call("POST", "/users/me/mfa/confirm", body)).json);
  form.reset();
});
onSubmit("#disable-mfa", async (form, body) => {
  showMfa((await call("DELETE", "/users/me/mfa", body)).json);
  form.reset();
});

onSubmit("#delete-account", async (form, body) => {
  const { json } = await call("DELETE", "/users/me", body);
  form.reset();
  session.save(null);
  goTo("sign-in", json.message);
});

export const showContent = ({ counts, document_bytes }) =>
  $("#content").replaceChildren(...Object.entries({ ...counts, document_bytes }).map(
    ([name, number]) => h("li", {}, `${name}: ${number}`)));

