// Signs in with openid-client, which NextAuth uses: discovery, PKCE, code, ID token, refresh. Prints what it got as JSON.
import * as client from "openid-client";

const [issuer, clientId, clientSecret] = process.argv.slice(2);
const local = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(issuer), clientId, clientSecret, undefined, local);
const codeVerifier = client.randomPKCECodeVerifier();
const nonce = client.randomNonce();
const state = client.randomState();
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: "http://127.0.0.1:3000/callback",
  scope: "openid email",
  code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
  code_challenge_method: "S256",
  nonce,
  state,
});
const back = await fetch(address, { redirect: "manual" });
const tokens = await client.authorizationCodeGrant(config, new URL(back.headers.get("location")), {
  pkceCodeVerifier: codeVerifier,
  expectedNonce: nonce,
  expectedState: state,
});
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
console.log(JSON.stringify({ claims: tokens.claims(), refreshed: refreshed.claims() }));
