import { ContainerClient } from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Azurite, startAzurite } from "../../test/servers/azurite.ts";
import { openAzureStore } from "./azure-store.ts";
import { describeObjectStore } from "./contract-suite.ts";

describe("On Azurite", () => {
  let azurite: Azurite;

  beforeAll(async () => {
    azurite = await startAzurite();
    await new ContainerClient(azurite.connectionString, "media").create();
  });
  afterAll(async () => {
    await azurite[Symbol.asyncDispose]();
  });

  const url = (container: string): URL =>
    new URL(`azure://${azurite.account}/${container}/some/prefix?endpoint=${azurite.endpoint}`);

  describeObjectStore("The Azure store", async () => ({
    store: await openAzureStore(url("media"), { AZURE_STORAGE_KEY: azurite.key }),
    [Symbol.asyncDispose]: async () => {},
  }));

  test("a connection string is enough", async () => {
    const environment = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
    const store = await openAzureStore(new URL(`azure://${azurite.account}/media`), environment);
    expect(await store.stat("nothing")).toBeUndefined();
  });

  test("a container that is not there is told by its name", async () => {
    const opening = openAzureStore(url("nowhere"), { AZURE_STORAGE_KEY: azurite.key });
    await expect(opening).rejects.toMatchObject({ code: "config.invalid" });
    await expect(opening).rejects.toThrow(/no container at .*\/nowhere/);
  });

  test("a wrong key is told", async () => {
    const opening = openAzureStore(url("media"), { AZURE_STORAGE_KEY: Buffer.from("wrong").toString("base64") });
    await expect(opening).rejects.toMatchObject({ code: "config.invalid" });
    await expect(opening).rejects.toThrow("AZURE_STORAGE_KEY");
  });
});
