/** Every failure that is injected, and the tests that do it. */

export interface Row {
  readonly number: number;
  readonly failure: string;
  /** Beyond what all rows ask for. */
  readonly asks: string;
  readonly tests: readonly Covering[];
  /** What no test injects, and why. */
  readonly limit?: string;
}

export interface Covering {
  /** Below test/. */
  readonly file: string;
  /** A part of the test's whole name; absent: all tests of the file. */
  readonly name?: string;
}

const test = (file: string, name?: string): Covering => ({
  file: `${file}.test.ts`,
  ...(name === undefined ? {} : { name }),
});
const disturbed = (name: string): Covering => test("faults/writes", name);

/** Requests that nobody thought of: valid, nearly valid and hostile ones, drawn from the schemas. */
export const drawn: readonly { readonly what: string; readonly tests: readonly Covering[] }[] = [
  {
    what: "The API server and `mimo` give each the same verdict (dry run)",
    tests: [test("api/api", "> gives any MiMo")],
  },
  {
    what: "`mimo plan` and `mimo render` say what is wrong or print all of it, whatever a file holds",
    tests: [test("unit/cli/fuzz")],
  },
  {
    what: "The command line of each request that is accepted is one for SGLang's own parser and start-up checks (requests without extraArgs)",
    tests: [test("sglang/fuzz")],
  },
];

export const catalogue: readonly Row[] = [
  {
    number: 1,
    failure: "The operator is killed before a write",
    asks: "no object made or removed more often than in the undisturbed run",
    tests: [disturbed("killed before")],
  },
  {
    number: 2,
    failure: "The operator is killed after a write, before its answer",
    asks: "no object made twice",
    tests: [disturbed("killed after")],
  },
  {
    number: 3,
    failure: "The answer to a write is lost",
    asks: "trying again changes nothing more",
    tests: [disturbed("answer lost")],
  },
  {
    number: 4,
    failure:
      "A write is answered 409, 422, 429, 500, 503 or 504, once or 20 times (422: three times), or never, late, or with a broken connection",
    asks: "longer and longer waits; a refusal becomes a condition and one Event, tried again every 30 s",
    tests: [
      disturbed("connection lost"),
      disturbed("never answered"),
      disturbed("late by"),
      ...["409", "422", "429", "500", "503", "504"].map(disturbed),
      test("faults/obstacles", "an error that stays"),
      test("faults/obstacles", "is told in its words"),
    ],
  },
  {
    number: 5,
    failure: "Somebody changes an object between the operator's look and its write",
    asks: "the others' fields are kept",
    tests: [
      disturbed("object changed by another"),
      test("faults/drift", "and the other manager's own fields"),
    ],
  },
  {
    number: 6,
    failure: "What the operator is about to delete has been replaced under its name",
    asks: "the new object stays",
    tests: [disturbed("pod replaced by its namesake"), test("faults/servers", "while an operator starts")],
  },
  {
    number: 7,
    failure:
      "The operator reads from an API server whose link to etcd is paused, again and again, amid every story",
    asks: "nothing is done twice",
    tests: [
      test("faults/servers", "again and again"),
      test("faults/servers", "for longer than a cache waits"),
    ],
  },
  {
    number: 8,
    failure: "The operator starts against an API server that is behind",
    asks: "it waits and writes nothing",
    tests: [test("faults/servers", "while an operator starts")],
  },
  {
    number: 9,
    failure: "An event is lost with its connection",
    asks: "it is asked for again",
    tests: [test("faults/watches", "connection breaks before an event")],
    limit:
      "An event that vanishes from a connection that goes on is not in the API's contract, and is not noticed before the next list",
  },
  {
    number: 10,
    failure: "Events come twice, late by up to 30 s, or in another order",
    asks: "",
    tests: ["events come twice", "events change places", "events come 30 s late"].map((name) =>
      test("faults/watches", name),
    ),
    limit:
      "Another order is not in the API's contract; an object may then be asked for twice, and the second time is refused",
  },
  {
    number: 11,
    failure: "A watch's socket stays open and silent",
    asks: "given up after 150 s; /readyz says so when it lasts",
    tests: [
      test("unit/runtime/reflector", "a frozen socket is given up"),
      test("faults/watches", "watches that fall silent"),
    ],
  },
  {
    number: 12,
    failure: "A watch ends within a line, with an ERROR of 500 or 410, or at a server that is behind",
    asks: "the cache recovers",
    tests: [
      test("faults/watches", "connection ends within an event"),
      test("faults/watches", "410 in the stream"),
      test("faults/watches", "500 in the stream"),
      test("unit/runtime/reflector", "a server that is behind the version asked for"),
    ],
  },
  {
    number: 13,
    failure: "Things come and go while the operator sees nothing",
    asks: "no write where they cancel out",
    tests: [test("faults/watches", "what came and went")],
  },
  {
    number: 14,
    failure: "kube-apiserver or etcd is killed and starts again, after a compaction, too",
    asks: "the lease is kept or given up in good order",
    tests: [
      test("faults/servers", "a part of the control plane that crashes"),
      test("unit/runtime/reflector", "a server that refuses every watch"),
    ],
  },
  {
    number: 15,
    failure: "The leader's wire goes dead amid its writes",
    asks: "it ends by its own clock; no write of two leaders overlaps",
    tests: [
      test("faults/leaders", "a leader whose wire is dead"),
      test("unit/runtime/elector", "cut off from the API server"),
    ],
  },
  {
    number: 16,
    failure: "The leader is stopped (SIGSTOP) amid its writes and goes on when another leads",
    asks: "it writes nothing more",
    tests: [
      test("faults/leaders", "a leader that is stopped"),
      test("unit/runtime/elector", "a process that was suspended"),
    ],
  },
  {
    number: 17,
    failure: "Clocks of two operators differ by ten minutes, and jump",
    asks: "one leader all the time",
    tests: [
      test("faults/leaders", "clocks that differ"),
      test("unit/runtime/elector", "clocks that are five minutes apart"),
    ],
  },
  {
    number: 18,
    failure: "The Lease is deleted, given to somebody else, or its API fails",
    asks: "never two leaders",
    tests: [
      test("faults/leaders", "a lease that is deleted"),
      test("faults/leaders", "a lease in somebody else's name"),
      test("faults/leaders", "errors of the lease's API"),
      test("unit/runtime/elector", "whatever fails, never two lead"),
    ],
  },
  {
    number: 19,
    failure: "SIGTERM amid writes",
    asks: "writes are finished, the lease is released, exit status 0",
    tests: [
      test("faults/leaders", "a leader that is asked to stop"),
      test("unit/runtime/elector", "a clean stop releases the lease"),
    ],
  },
  {
    number: 20,
    failure: "Somebody changes a field of a child: each field that the operator owns",
    asks: "put back; labels and annotations of others stay; no pod is touched",
    tests: [test("faults/drift", "of any child is put back")],
    limit:
      "What nothing else remembers is not put back: records on StatefulSets (formation, losses), a revision's number; nor a field that the plan leaves to the API server's default",
  },
  {
    number: 21,
    failure: "Somebody deletes a child, with each propagation policy",
    asks: "made once more; only a group's own pods are touched",
    tests: [test("faults/drift", "is made once more")],
  },
  {
    number: 22,
    failure: "A child's name is taken",
    asks: "left alone, named in a condition, and over when it is free",
    tests: [test("e2e/trouble", "a Service of the same name")],
  },
  {
    number: 23,
    failure: "A child's owner or label is taken away",
    asks: "owned again, not made twice",
    tests: [test("faults/drift", "of any child is put back")],
  },
  {
    number: 24,
    failure: "Another manager applies a child with force",
    asks: "only our fields are put back",
    tests: [test("faults/drift", "by server-side apply with force")],
  },
  {
    number: 25,
    failure: "A change would need another value in a field that can't change",
    asks: "no request ever does",
    tests: [test("unit/charts/immutable"), test("e2e/rollout", "from two nodes to one")],
  },
  {
    number: 26,
    failure: "A revision can't start, and is corrected",
    asks: "goes on without help",
    tests: [
      test("e2e/rollout", "with an image that can't be pulled"),
      test("e2e/rollout", "that fails rolls back"),
    ],
  },
  {
    number: 27,
    failure: "Each field of a request is changed, and changed back",
    asks: "each time the same as a fresh deployment",
    tests: [test("faults/sweep", "any field that is changed")],
  },
  {
    number: 28,
    failure: "Mistakes: nodes, classes, claims, images, quantities that aren't there",
    asks: "refused, or said in words; all well when mended",
    tests: [
      test("faults/sweep", "any mistake"),
      test("faults/sweep", "what the API server refuses"),
      test("api/api", "a bad document"),
    ],
  },
  {
    number: 29,
    failure: "A quota is used up",
    asks: "said with its numbers; over when raised",
    tests: [test("e2e/trouble", "quota that is used up")],
  },
  {
    number: 30,
    failure: "A policy or a webhook denies a write, or the webhook is down",
    asks: "said in its words; no hot loop; over when it is",
    tests: [test("faults/obstacles", "an admission policy that denies")],
  },
  {
    number: 31,
    failure: "Each permission is taken away",
    asks: "no crash, no hot loop; over when it is back",
    tests: [test("faults/permissions")],
  },
  {
    number: 32,
    failure: "An API is missing at the start, or removed while watched",
    asks: "no crash; looked for again every 30 seconds",
    tests: [
      test("runtime/apiserver", "an API that is not installed"),
      test("unit/runtime/reflector", "is reported absent"),
      test("unit/runtime/reflector", "removed while watched"),
    ],
  },
  {
    number: 33,
    failure: "The operator's own CRD is removed and installed again",
    asks: "no crash; new deployments are served",
    tests: [test("faults/obstacles", "may be removed and installed again")],
    limit: "There is one version of the API so far",
  },
  {
    number: 34,
    failure: "A deletion that can't finish: finalizers, a namespace that goes",
    asks: "nothing is made for what is being deleted",
    tests: [test("faults/obstacles", "a deletion that can't finish"), test("e2e/serving", "deletion")],
  },
  {
    number: 35,
    failure: "The deployment is deleted before a write arrives",
    asks: "nothing is left",
    tests: [disturbed("deployment deleted")],
  },
  {
    number: 36,
    failure: "Deployments of the same name in many namespaces, all at once",
    asks: "each has its turn",
    tests: [
      disturbed("killed before"),
      test("lifecycle/storm"),
      test("unit/runtime/workqueue", "whatever the schedule"),
      test("unit/runtime/workqueue", "a resync key has its turn"),
    ],
  },
  {
    number: 37,
    failure: "A stored object that can't be read",
    asks: "the others go on",
    tests: [test("e2e/trouble", "survives a deployment that it can't read")],
  },
  {
    number: 38,
    failure: "The operator is upgraded",
    asks: "no pod template changes unless it is meant to",
    tests: [
      test("unit/golden/revisions", "no pod template changed"),
      test("e2e/trouble", "a change of the platform touches no running group"),
    ],
    limit: "An upgrade of the whole installation from a recorded release is part of `npm run test:install`",
  },
  {
    number: 39,
    failure: "A node of a group is lost or drained; a rank is killed, evicted, fails, at every stage",
    asks: "the group is rebuilt as one; the disruption budget holds",
    tests: [
      test("lifecycle/matrix"),
      test("e2e/recovery"),
      test("e2e/rollout", "moves a group, waits while another is down"),
    ],
  },
  {
    number: 40,
    failure: "Somebody scales a StatefulSet; an autoscaler scales the deployment",
    asks: "the deployment's replicas count",
    tests: [
      test("e2e/trouble", "drift in any child is put back"),
      test("api/api", "is read and set by a HorizontalPodAutoscaler"),
    ],
  },
  {
    number: 41,
    failure: "Nothing: converged deployments are looked at again and again",
    asks: "no write",
    tests: [test("faults/soak", "looked at a thousand times"), test("e2e/serving", "cost nothing any more")],
  },
  {
    number: 42,
    failure: "Random faults and changes for a long time",
    asks: "well at each checkpoint; memory and sockets flat",
    tests: [test("faults/soak", "a long time of faults"), test("lifecycle/sequences")],
  },
];
