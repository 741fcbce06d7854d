// Swagger UI on /openapi.json, and a form that signs in for it. Tokens are kept nowhere but in it:
// they are gone when the page is.
"use strict";

// Where the API is: this file is /docs/docs.js, perhaps below a path prefix.
const api = new URL("..", document.currentScript.src).href;

const form = document.getElementById("sign-in");
const { email, password, code } = form.elements;
const button = form.querySelector("button");
const output = form.querySelector("output");

const ui = SwaggerUIBundle({
  url: `${api}openapi.json`,
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  validatorUrl: null, // else it would show the document to a server elsewhere
  onComplete: () => {
    button.disabled = false;
  },
});

// The challenge of a sign-in that waits for the code of an authenticator app.
let challenge = null;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  say("One moment…");
  try {
    signedIn(await (challenge ? answerChallenge() : login()));
  } catch (error) {
    say(error.message, "error");
  }
  button.disabled = false;
});

for (const field of [email, password]) {
  field.addEventListener("input", () => expect(null));
}

function login() {
  return post("login", { email: email.value, password: password.value });
}

async function answerChallenge() {
  const { challenge_name, session } = challenge;
  const responses = { SOFTWARE_TOKEN_MFA_CODE: code.value.trim() };
  return post("challenge", { email: email.value, challenge_name, session, responses });
}

function signedIn(answer) {
  if (answer.tokens) {
    expect(null);
    password.value = "";
    ui.preauthorizeApiKey("bearer", answer.tokens.access_token);
    say(`Signed in as ${email.value}.`, "signed-in");
  } else if (answer.next_step === "SOFTWARE_TOKEN_MFA") {
    expect(answer);
    say(answer.message);
  } else {
    say(`${answer.message} Take the step ${answer.next_step} with the calls below, then Authorize.`);
  }
}

function expect(newChallenge) {
  challenge = newChallenge;
  code.value = "";
  code.disabled = !challenge;
  code.closest("label").hidden = !challenge;
  if (challenge) {
    code.focus();
  }
}

async function post(name, body) {
  const response = await fetch(`${api}auth/cognito/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) {
    if (response.status === 401) {
      expect(null); // a challenge does not wait for ever
    }
    throw new Error(answer.message);
  }
  return answer;
}

function say(text, kind = "") {
  output.textContent = text;
  output.className = kind;
}
