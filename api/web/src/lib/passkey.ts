/**
 * Passkeys (WebAuthn) in the JSON of its level 3. Browsers that we serve know the JSON only in part
 * (`parseCreationOptionsFromJSON` came with Chrome 129), so it is written and read here.
 */
import type { PasskeyMade, PasskeyOptions, PasskeySigned } from './types';

/** Nothing came of it: given up or too late, one that is registered already, or the browser cannot. */
export class NoPasskey extends Error {
  constructor(readonly why: 'givenUp' | 'known' | 'unable') {
    super(why);
  }
}

/** Whether this browser knows passkeys at all. */
export const knowsPasskeys = (): boolean => typeof PublicKeyCredential === 'function';

export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
}

export function toBase64url(bytes: ArrayBuffer): string {
  const plain = Array.from(new Uint8Array(bytes), (one) => String.fromCharCode(one)).join('');
  return btoa(plain).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Have a passkey made. */
export async function makePasskey(options: PasskeyOptions): Promise<PasskeyMade> {
  const { challenge, user, excludeCredentials = [], ...rest } = options;
  const made = await obtained(
    navigator.credentials.create({
      publicKey: {
        ...(rest as unknown as PublicKeyCredentialCreationOptions),
        challenge: fromBase64url(challenge),
        user: { ...user!, id: fromBase64url(user!.id) },
        excludeCredentials: excludeCredentials.map(described),
      },
    }),
  );
  const response = made.response as AuthenticatorAttestationResponse;
  return {
    ...named(made),
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      attestationObject: toBase64url(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

/** Have a challenge signed by one of the passkeys that it names. */
export async function signByPasskey(options: PasskeyOptions): Promise<PasskeySigned> {
  const { challenge, allowCredentials = [], ...rest } = options;
  const signed = await obtained(
    navigator.credentials.get({
      publicKey: {
        ...(rest as unknown as PublicKeyCredentialRequestOptions),
        challenge: fromBase64url(challenge),
        allowCredentials: allowCredentials.map(described),
      },
    }),
  );
  const response = signed.response as AuthenticatorAssertionResponse;
  return {
    ...named(signed),
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      authenticatorData: toBase64url(response.authenticatorData),
      signature: toBase64url(response.signature),
    },
  };
}

type Described = NonNullable<PasskeyOptions['allowCredentials']>[number];

const described = (one: Described): PublicKeyCredentialDescriptor => ({
  ...one,
  id: fromBase64url(one.id),
  transports: one.transports as AuthenticatorTransport[] | undefined,
});

const named = (one: PublicKeyCredential): { id: string; rawId: string; type: 'public-key' } => ({
  id: one.id,
  rawId: toBase64url(one.rawId),
  type: 'public-key',
});

async function obtained(asked: Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const found = await asked;
    if (found) return found as PublicKeyCredential;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    if (name === 'InvalidStateError') throw new NoPasskey('known');
    if (name !== 'NotAllowedError' && name !== 'AbortError') throw new NoPasskey('unable');
  }
  throw new NoPasskey('givenUp');
}
