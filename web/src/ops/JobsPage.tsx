import { Button, SegmentedControl } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { post } from "../api/client";
import { usePages } from "../api/lists";
import type { Job } from "../api/types";
import { DeliveryNote } from "../ui/DeliveryNote";
import { DataTable, type Column } from "../ui/DataTable";
import { More } from "../ui/More";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { Pill, type Tone } from "../ui/Status";
import { Ago } from "../ui/Time";
import { toastDone, toastFailed } from "../ui/toast";
import classes from "./Ops.module.css";

const states: Record<string, [string, Tone]> = {
  scheduled: ["Scheduled", "neutral"],
  available: ["Ready", "accent"],
  running: ["Running", "accent"],
  retryable: ["Will be tried again", "warn"],
  completed: ["Done", "good"],
  cancelled: ["Cancelled", "neutral"],
  discarded: ["Given up", "bad"],
};

const filters = [
  { value: "", label: "All" },
  { value: "retryable", label: "Retrying" },
  { value: "discarded", label: "Given up" },
  { value: "scheduled", label: "Scheduled" },
  { value: "completed", label: "Done" },
];

const REFRESH_MS = 10_000;

const over = (job: Job) => ["completed", "cancelled", "discarded"].includes(job.state);

/** The work that goes on behind the calls: write-backs and the like. */
export function JobsPage() {
  const [state, setState] = useState("");
  const jobs = usePages<Job>("/jobs", { state }, REFRESH_MS);
  const queries = useQueryClient();
  const act = useMutation({
    mutationFn: ({ job, verb }: { job: Job; verb: "retry" | "cancel" }) => post(`/jobs/${encodeURIComponent(job.id)}/${verb}`),
    onSuccess: async (_, { verb }) => {
      await queries.invalidateQueries({ queryKey: ["/jobs"] });
      toastDone(verb === "retry" ? "The job runs again." : "The job is cancelled.");
    },
    onError: toastFailed,
  });
  const columns: Column<Job>[] = [
    {
      label: "Job",
      cell: (job) => (
        <>
          <strong>{job.kind}</strong> {job.orderKey && <span className={`muted mono ${classes.key}`}>{job.orderKey}</span>}
          {job.lastError && <div className={`small ${classes.error}`}>{job.lastError}</div>}
          <DeliveryNote delivery={job.delivery} how={job.how} stage={job.stage} />
        </>
      ),
    },
    {
      label: "State",
      cell: (job) => {
        const [text, tone] = states[job.state] ?? [job.state, "neutral"];
        return <Pill tone={tone}>{text}</Pill>;
      },
    },
    { label: "Tries", numeric: true, cell: (job) => `${job.attempt} of ${job.maxAttempts}` },
    { label: "Runs", cell: (job) => (over(job) ? "" : <Ago time={job.runAt} />) },
    { label: "Made", cell: (job) => <Ago time={job.createdAt} /> },
    {
      label: "Actions",
      hideLabel: true,
      numeric: true,
      cell: (job) => job.state !== "completed" && (
        <span className={classes.actions}>
          {job.state !== "completed" && job.state !== "running" && (
            <Button variant="default" size="compact-sm" disabled={act.isPending} onClick={() => act.mutate({ job, verb: "retry" })}>
              Run now
            </Button>
          )}
          {!over(job) && (
            <Button variant="subtle" color="red" size="compact-sm" disabled={act.isPending} onClick={() => act.mutate({ job, verb: "cancel" })}>
              Cancel
            </Button>
          )}
        </span>
      ),
    },
  ];
  return (
    <Page title="Jobs" lead="Work that goes on behind the calls. What fails is tried again by itself; what was given up waits here.">
      <div className={classes.filters}>
        <SegmentedControl aria-label="State" data={filters} value={state} onChange={setState} />
      </div>
      <section className="panel" aria-label="Jobs">
        <Loaded query={jobs}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty icon="check" title="Nothing here">
                {state ? "No job is in this state." : "There is no work to be done."}
              </Empty>
            ) : (
              <DataTable caption="Jobs" columns={columns} rows={rows} rowKey={(job) => job.id} />
            )
          }
        </Loaded>
        <More {...jobs} />
      </section>
    </Page>
  );
}
