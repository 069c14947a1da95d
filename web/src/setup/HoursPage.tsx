import { ActionIcon, Autocomplete, Button, Checkbox, Chip, Group, Switch, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { get, messageOf } from "../api/client";
import type { Holiday, Hours, HoursOverride, HoursState, Interval, Weekday } from "../api/types";
import { Icon } from "../ui/Icon";
import { Pill } from "../ui/Status";
import { ResourcePage, type FormProps } from "./ResourcePage";
import classes from "./Setup.module.css";

type Value = Omit<Hours, "id" | "version">;

const days: { value: Weekday; label: string; name: string }[] = [
  { value: "mon", label: "Mo", name: "Monday" },
  { value: "tue", label: "Tu", name: "Tuesday" },
  { value: "wed", label: "We", name: "Wednesday" },
  { value: "thu", label: "Th", name: "Thursday" },
  { value: "fri", label: "Fr", name: "Friday" },
  { value: "sat", label: "Sa", name: "Saturday" },
  { value: "sun", label: "Su", name: "Sunday" },
];

const zones = Intl.supportedValuesOf("timeZone");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

const outcomes: Record<HoursState["outcome"], string> = { work: "working hours", holiday: "a holiday", override: "an override", closed: "outside working hours" };

const shortName = (day: Weekday) => days.find(({ value }) => value === day)?.name.slice(0, 3) ?? day;

/** Days as people write them: three or more in a row by the first and the last. */
function daysText(chosen: Weekday[]): string {
  const runs: Weekday[][] = [];
  for (const [index, { value }] of days.entries()) {
    if (!chosen.includes(value)) continue;
    const last = runs.at(-1);
    const before = days[index - 1]?.value;
    if (last && before && last.at(-1) === before) last.push(value);
    else runs.push([value]);
  }
  return runs.map((run) => (run.length > 2 ? `${shortName(run[0] as Weekday)}–${shortName(run.at(-1) as Weekday)}` : run.map(shortName).join(", "))).join(", ");
}

function weekText(week: Interval[]): string {
  if (week.length === 0) return "closed";
  const shown = week.slice(0, 2).map((interval) => `${daysText(interval.days)} ${interval.from}–${interval.to}`);
  return [...shown, ...(week.length > 2 ? [`${week.length - 2} more`] : [])].join("; ");
}

/** The hours of operation that flows and queues name. */
export function HoursPage() {
  return (
    <ResourcePage<Hours, Value>
      path="/hours"
      title="Hours of operation"
      noun="schedule"
      lead="When the contact centre is open. Flows ask for a schedule by name; a queue may have its own."
      icon="clock"
      empty="With a schedule a flow can tell callers that you are closed."
      wide
      deleteWarning="Flows that ask for these hours leave by their error branch, and queues lose them."
      nameOf={(hours) => hours.name}
      columns={[
        { label: "Name", cell: (hours) => hours.name },
        { label: "Time zone", cell: (hours) => hours.zone },
        { label: "Working hours", cell: (hours) => <span className="num">{weekText(hours.week)}</span> },
        { label: "Holidays", numeric: true, cell: (hours) => hours.holidays.length },
        { label: "Overrides", numeric: true, cell: (hours) => hours.overrides.length },
      ]}
      toValue={(hours) => ({
        name: hours?.name ?? "",
        zone: hours?.zone ?? here,
        week: hours?.week ?? [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "17:00" }],
        holidays: hours?.holidays ?? [],
        overrides: hours?.overrides ?? [],
      })}
      fields={(props) => <Fields {...props} />}
    />
  );
}

function Fields({ item, value, set }: FormProps<Hours, Value>) {
  return (
    <>
      <TextInput label="Name" required withAsterisk={false} data-autofocus value={value.name} onChange={(event) => set("name", event.currentTarget.value)} />
      <Autocomplete label="Time zone" required withAsterisk={false} limit={20} data={zones} value={value.zone} onChange={(zone) => set("zone", zone)} />
      {item && <Now id={item.id} />}
      <Rows<Interval>
        legend="Working hours"
        hint="Hours that end before they begin go on into the next day. 00:00 to 24:00 is the whole day."
        add="Add working hours"
        rows={value.week}
        set={(week) => set("week", week)}
        fresh={() => ({ days: ["sat"], from: "09:00", to: "12:00" })}
        row={(interval, change, n) => (
          <>
            <Chip.Group multiple value={interval.days} onChange={(chosen) => change({ ...interval, days: chosen as Weekday[] })}>
              <Group gap={4} role="group" aria-label={`Days of working hours ${n}`}>
                {days.map((day) => (
                  <Chip key={day.value} value={day.value} size="xs" icon={null} classNames={{ iconWrapper: classes.noIcon, label: classes.day }} aria-label={day.name}>
                    {day.label}
                  </Chip>
                ))}
              </Group>
            </Chip.Group>
            <div className={classes.clocks}>
              <Clock label={`From, working hours ${n}`} value={interval.from} set={(from) => change({ ...interval, from })} />
              <Clock label={`To, working hours ${n}`} value={interval.to} set={(to) => change({ ...interval, to })} />
            </div>
          </>
        )}
      />
      <Rows<Holiday>
        legend="Holidays"
        hint="Closed all day, in the time zone above."
        add="Add a holiday"
        rows={value.holidays}
        set={(holidays) => set("holidays", holidays)}
        fresh={() => ({ name: "", date: "", yearly: false })}
        row={(holiday, change, n) => (
          <>
            <div className={classes.pair}>
              <TextInput aria-label={`Name of holiday ${n}`} placeholder="Name" required value={holiday.name} onChange={(event) => change({ ...holiday, name: event.currentTarget.value })} />
              <TextInput aria-label={`Date of holiday ${n}`} type="date" required value={holiday.date} onChange={(event) => change({ ...holiday, date: event.currentTarget.value })} />
            </div>
            <Checkbox size="xs" label="Every year" checked={holiday.yearly} onChange={(event) => change({ ...holiday, yearly: event.currentTarget.checked })} />
          </>
        )}
      />
      <Rows<HoursOverride>
        legend="Overrides"
        hint="For a limited time they come before holidays and working hours."
        add="Add an override"
        rows={value.overrides}
        set={(overrides) => set("overrides", overrides)}
        fresh={() => ({ name: "", from: "", to: "", open: false })}
        row={(override, change, n) => (
          <>
            <TextInput aria-label={`Name of override ${n}`} placeholder="Name" required value={override.name} onChange={(event) => change({ ...override, name: event.currentTarget.value })} />
            <div className={classes.pair}>
              <TextInput label="From" aria-label={`From, override ${n}`} type="datetime-local" required withAsterisk={false} value={override.from} onChange={(event) => change({ ...override, from: event.currentTarget.value })} />
              <TextInput label="To" aria-label={`To, override ${n}`} type="datetime-local" required withAsterisk={false} value={override.to} onChange={(event) => change({ ...override, to: event.currentTarget.value })} />
            </div>
            <Switch size="xs" label="Open during this time" checked={override.open} onChange={(event) => change({ ...override, open: event.currentTarget.checked })} />
          </>
        )}
      />
    </>
  );
}

// Not type="time": that has no 24:00.
function Clock({ label, value, set }: { label: string; value: string; set: (time: string) => void }) {
  return <TextInput aria-label={label} placeholder="08:00" required pattern="([01][0-9]|2[0-3]):[0-5][0-9]|24:00" title="Two digits each, such as 08:00" value={value} onChange={(event) => set(event.currentTarget.value)} />;
}

interface RowsProps<R> {
  legend: string;
  hint: string;
  add: string;
  rows: R[];
  set: (rows: R[]) => void;
  fresh: () => R;
  row: (row: R, change: (row: R) => void, n: number) => ReactNode;
}

function Rows<R>({ legend, hint, add, rows, set, fresh, row }: RowsProps<R>) {
  return (
    <fieldset className={classes.rows}>
      <legend>{legend}</legend>
      <p className="muted small">{hint}</p>
      {rows.map((item, index) => (
        <div key={index} className={classes.row}>
          <div>{row(item, (next) => set(rows.map((old, at) => (at === index ? next : old))), index + 1)}</div>
          <ActionIcon variant="subtle" color="gray" aria-label={`Remove ${index + 1} of ${legend.toLowerCase()}`} onClick={() => set(rows.filter((_, at) => at !== index))}>
            <Icon name="close" />
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button size="xs" variant="default" leftSection={<Icon name="plus" />} onClick={() => set([...rows, fresh()])}>
          {add}
        </Button>
      </div>
    </fieldset>
  );
}

/** What the saved hours say of this moment. */
function Now({ id }: { id: string }) {
  const path = `/hours/${encodeURIComponent(id)}/state`;
  const state = useQuery({ queryKey: [path], queryFn: () => get<HoursState>(path), staleTime: 0 });
  if (state.error) return <p className="muted small">{messageOf(state.error)}</p>;
  if (!state.data) return null;
  return (
    <div className={classes.now} role="status" data-testid="hours-now">
      <Pill tone={state.data.open ? "good" : "neutral"}>{state.data.open ? "Open now" : "Closed now"}</Pill>
      <span className="muted small">{`${state.data.local}: ${outcomes[state.data.outcome]}${state.data.name ? ` (${state.data.name})` : ""}`}</span>
    </div>
  );
}
