// The official npm client, unchanged, against the embedded API with the samples and the faults of embedded.py.
// One line a check; exit status 1 where one fails.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import LlamaCloud, * as sdk from '@llamaindex/llama-cloud';

const [baseURL, pdf] = process.argv.slice(2);
const INVOICE = 'ext-sample0invoice00000000000000';
const DOCUMENT = 'dfl-sample0invoice00000000000000';
const SECTIONS = ['configuration', 'extract_metadata', 'usage', 'metadata'];
const configuration = { data_schema: { type: 'object', properties: { invoice_number: { type: 'string' } } } };
const FAST = { pollingInterval: 0.2, maxInterval: 0.5, timeout: 60 };

const client = new LlamaCloud({ apiKey: 'llx-local', baseURL, maxRetries: 0 });
const instant = { headers: { 'X-Llx-Scenario': 'instant' } };
const slow = { headers: { 'X-Llx-Scenario': 'slow' } };
const create = (options) => client.extract.create({ file_input: DOCUMENT, configuration }, options);

const checks = {
  'get with each expand': async () => {
    const plain = await client.extract.get(INVOICE);
    for (const name of SECTIONS) assert.equal(plain[name], null);
    for (const name of SECTIONS) {
      const job = await client.extract.get(INVOICE, { expand: [name] });
      for (const other of SECTIONS) assert.equal(job[other] === null, other !== name, `${name}: ${other}`);
    }
    const whole = await client.extract.get(INVOICE, { expand: SECTIONS });
    assert.equal(whole.extract_result.invoice_number, 'NL-2026-0417');
  },
  'list through all pages': async () => {
    const ids = [];
    for await (const job of client.extract.list({ page_size: 3 })) ids.push(job.id);
    assert.ok(ids.length >= 11);
    assert.equal(new Set(ids).size, ids.length);
    for await (const job of client.extract.list({ status: 'FAILED', page_size: 1 })) assert.equal(job.status, 'FAILED');
    const named = [];
    for await (const job of client.extract.list({ job_ids: [INVOICE] })) named.push(job.id);
    assert.deepEqual(named, [INVOICE]);
  },
  'create and waitForCompletion': async () => {
    const job = await create();
    assert.notEqual(job.id, INVOICE);
    const done = await client.extract.waitForCompletion(job.id, { expand: ['extract_metadata'] }, FAST);
    assert.equal(done.extract_result.invoice_number, 'NL-2026-0417');
    assert.notEqual(done.extract_metadata, null);
  },
  'upload and run': async () => {
    const file = await client.files.create({ file: new File([await readFile(pdf)], 'mine.pdf'), purpose: 'extract' });
    const done = await client.extract.run({ file_input: file.id, configuration }, { ...FAST, ...instant });
    assert.equal(done.file_input, file.id);
    assert.equal(done.extract_result.invoice_number, 'NL-2026-0417');
  },
  'an unknown document fails with a reason': async () => {
    const file = await client.files.create({ file: new File(['never seen'], 'new.txt'), purpose: 'extract' });
    const run = client.extract.run({ file_input: file.id, configuration }, FAST);
    await assert.rejects(run, (error) => error.name === 'PollingError' && /record/.test(error.message));
  },
  cancel: async () => {
    const job = await create(slow);
    assert.equal((await client.extract.cancel(job.id)).status, 'CANCELLED');
    await assert.rejects(client.extract.waitForCompletion(job.id, undefined, FAST), { name: 'PollingError' });
  },
  delete: async () => {
    const job = await create(instant);
    await client.extract.delete(job.id);
    await assert.rejects(client.extract.get(job.id), sdk.NotFoundError);
  },
  'schema validation': async () => {
    const { data_schema } = await client.extract.validateSchema(configuration);
    assert.equal(data_schema.type, 'object');
  },
  'errors as classes': async () => {
    const stranger = new LlamaCloud({ apiKey: 'other', baseURL, maxRetries: 0 });
    await assert.rejects(stranger.extract.get(INVOICE), sdk.AuthenticationError);
    await assert.rejects(client.extract.get('ext-nowhere'), sdk.NotFoundError);
    await assert.rejects(client.extract.get(INVOICE, { project_id: 'no-uuid' }), sdk.UnprocessableEntityError);
    await assert.rejects(client.extract.get('ext-always-503'), sdk.InternalServerError);
    await assert.rejects(client.extract.get('ext-always-429'), sdk.RateLimitError);
    await assert.rejects(client.extract.get('ext-always-402'), (error) => error.status === 402);
    await assert.rejects(client.extract.get('ext-always-cut'), (error) => !(error instanceof assert.AssertionError));
  },
  retries: async () => {
    const patient = new LlamaCloud({ apiKey: 'llx-local', baseURL, maxRetries: 2 });
    for (const id of ['ext-once-503', 'ext-once-429', 'ext-once-cut']) {
      await assert.rejects(patient.extract.get(id), sdk.NotFoundError, id);
    }
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`passed  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error}`);
  }
}
process.exitCode = failed ? 1 : 0;
