import { createSecretKey } from "node:crypto";
import { PipelineError } from "@gakuen/contracts";
import { errors, jwtVerify, SignJWT } from "jose";

/** Signed statements between services: JSON Web Tokens (RFC 7519) with HS256, whose audience is their purpose. */
export interface Tokens {
  /** A token that says `claims` to whoever asks for `purpose`, for the next `expiresInSeconds`. */
  sign(purpose: string, claims: Record<string, unknown>, expiresInSeconds: number): Promise<string>;
  /** The claims that were signed for `purpose`. Errors: `ingest.unauthorized` with the reason. */
  verify(purpose: string, token: string): Promise<Record<string, unknown>>;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === "aud" ? "it was made for another purpose" : `its claim ${error.claim} is missing or wrong`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return "its signature is wrong; do all services have the same GAKUEN_SECRET?";
  }
  return "it is malformed";
}

/** Tokens signed with the UTF-8 bytes of `secret`; services with the same secret accept each other's. */
export function createTokens(secret: string): Tokens {
  // As a CryptoKey it is imported here, once; jose would import bytes or a key object anew for each token.
  const key = createSecretKey(secret, "utf8").toCryptoKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  return {
    async sign(purpose, claims, expiresInSeconds) {
      const now = Math.floor(Date.now() / 1000);
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setAudience(purpose)
        .setIssuedAt(now)
        .setExpirationTime(now + expiresInSeconds)
        .sign(key);
    },
    async verify(purpose, token) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          audience: purpose,
          requiredClaims: ["exp"],
        });
        const { aud: _aud, iat: _iat, exp: _exp, ...claims } = payload;
        return claims;
      } catch (error) {
        throw new PipelineError("ingest.unauthorized", `The token for ${purpose} is refused: ${reasonOf(error)}`, {
          cause: error,
        });
      }
    },
  };
}
