// Verifies tokens over and over; writes the best time of each, in microseconds, for aws-jwt-verify and for node:crypto alone.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { CognitoJwtVerifier } from "aws-jwt-verify";

const { userPoolId, clientId, jwks, tokens, rounds } = JSON.parse(readFileSync(0, "utf8"));
const verifier = CognitoJwtVerifier.create({ userPoolId, tokenUse: "access", clientId });
verifier.cacheJwks(jwks);
const key = createPublicKey({ key: jwks.keys[0], format: "jwk" });
const parts = tokens.map((token) => {
  const end = token.lastIndexOf(".");
  return [Buffer.from(token.slice(0, end)), Buffer.from(token.slice(end + 1), "base64url")];
});
const runs = {
  "aws-jwt-verify": (index) => verifier.verifySync(tokens[index]),
  "node:crypto": (index) => {
    if (!verify("RSA-SHA256", parts[index][0], key, parts[index][1])) throw new Error("not verified");
  },
};
const best = Object.fromEntries(Object.keys(runs).map((name) => [name, tokens.map(() => Infinity)]));
for (let round = 0; round < rounds; round++) {
  for (let index = 0; index < tokens.length; index++) {
    for (const [name, run] of Object.entries(runs)) {
      const begin = process.hrtime.bigint();
      run(index);
      best[name][index] = Math.min(best[name][index], Number(process.hrtime.bigint() - begin) / 1000);
    }
  }
}
process.stdout.write(JSON.stringify(best));
