// Runs the files of docs/how-to/recipes/node.md with tokens that it is given; prints the answers as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { CognitoJwtVerifier } from "aws-jwt-verify";

const { userPoolId, clientId, jwks, access, id, folder } = JSON.parse(readFileSync(0, "utf8"));
const { createApp } = await import(pathToFileURL(`${folder}/app.mjs`));
const { createHandler } = await import(pathToFileURL(`${folder}/edge.mjs`));

const verifier = (tokenUse) => {
  const made = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse });
  made.cacheJwks(jwks);
  return made;
};

const server = createApp(verifier("access")).listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
const ask = async (method, path, authorization) => {
  const headers = authorization === null ? {} : { authorization };
  const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { method, headers });
  return [answer.status, await answer.text()];
};
const app = {
  orders: await ask("GET", "/orders", `Bearer ${access}`),
  cancel: await ask("DELETE", "/orders/1", `Bearer ${access}`),
  idToken: await ask("GET", "/orders", `Bearer ${id}`),
  none: await ask("GET", "/orders", null),
  twoWords: await ask("GET", "/orders", `Bearer ${access} x`),
};
server.close();

const handler = createHandler(verifier("id"), "https://example.com/login");
const view = async (...cookies) => {
  const headers = { cookie: cookies.map((value) => ({ key: "Cookie", value })) };
  const answer = await handler({ Records: [{ cf: { request: { uri: "/", headers } } }] });
  return answer.status ?? answer.uri;
};
const edge = {
  valid: await view(`a=b; __Host-id=${id}`),
  none: await view(),
  twice: await view(`__Host-id=${id}; __Host-id=${id}`),
  accessToken: await view(`__Host-id=${access}`),
  otherName: await view(`id=${id}`),
};
console.log(JSON.stringify({ app, edge }));
