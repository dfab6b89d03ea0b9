import { type BlockBlobClient, ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { azureError } from "./azure-errors.ts";
import type { AzureLocation } from "./azure-location.ts";
import { ATTEMPTS, IDLE_MS } from "./request-timeout.ts";
import { StoreGate } from "./store-gate.ts";

const RETRY_MS = 200;
const LONGEST_RETRY_MS = 1000;

/** The way to one Azure store: all requests go through one gate, and their errors are put into the port's terms. */
export class AzureRequests {
  readonly container: ContainerClient;
  readonly location: AzureLocation;
  readonly gate: StoreGate;

  constructor(location: AzureLocation) {
    this.location = location;
    this.container = new ContainerClient(
      `${location.endpoint}/${encodeURIComponent(location.container)}`,
      new StorageSharedKeyCredential(location.account, location.accountKey),
      {
        retryOptions: { maxTries: ATTEMPTS, retryDelayInMs: RETRY_MS, maxRetryDelayInMs: LONGEST_RETRY_MS },
        keepAliveOptions: { enable: true },
      },
    );
    this.gate = new StoreGate((error, doing) => azureError(error, doing, location));
  }

  blob(key: string): BlockBlobClient {
    return this.container.getBlockBlobClient(this.location.prefix + key);
  }

  /**
   * Makes a request; `call` gets the signal for the SDK and catches those refusals that are answers to it. The SDK has
   * no limit of its own for the time of an attempt, so there is one for all of them together, which begins anew whenever
   * a body has made progress.
   */
  async send<T>(
    doing: string,
    signal: AbortSignal | undefined,
    call: (options: { abortSignal: AbortSignal; onProgress: () => void }) => Promise<T>,
  ): Promise<T> {
    return await this.gate.request(doing, signal, async () => {
      const limit = ATTEMPTS * IDLE_MS;
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(new Error(`there was no answer within ${limit} ms`)), limit);
      try {
        return await call({
          abortSignal: AbortSignal.any([late.signal, ...(signal ? [signal] : [])]),
          onProgress: () => timer.refresh(),
        });
      } catch (error) {
        late.signal.throwIfAborted();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    });
  }
}
