import { Skeleton } from "@mantine/core";
import type { CrmRecord, Customer } from "../api/types";
import { Icon, type IconName } from "../ui/Icon";
import { Empty } from "../ui/States";
import { Pill } from "../ui/Status";
import classes from "./CustomerPanel.module.css";

const icons: Record<CrmRecord["type"], IconName> = { Account: "building", Contact: "user", Case: "case" };

/** What the CRM knows about the caller. */
export function CustomerPanel({ customer, number }: { customer: Customer; number: string }) {
  return (
    <section className="panel" aria-labelledby="customer-title" data-testid="customer" data-status={customer.status}>
      <header>
        <h2 id="customer-title">Customer</h2>
        {customer.status === "ambiguous" && (
          <span className="end">
            <Pill tone="warn">Several match</Pill>
          </span>
        )}
      </header>
      <Content customer={customer} number={number} />
    </section>
  );
}

function Content({ customer, number }: { customer: Customer; number: string }) {
  const records = [...customer.contacts, ...customer.accounts, ...customer.cases];
  if (customer.status === "loading") return <Loading />;
  if (customer.status === "error") {
    return (
      <div role="alert">
        <Empty icon="alert" title="The CRM did not answer">
          {customer.message || "The lookup failed. The call goes on without it."}
        </Empty>
      </div>
    );
  }
  if (records.length === 0) {
    return (
      <Empty icon="search" title="No record found">
        {customer.message || `No record has the number ${number || "of this caller"}.`}
      </Empty>
    );
  }
  return (
    <div className={classes.records}>
      {customer.status === "ambiguous" && <p className={classes.hint}>{customer.message || "More than one record has this number. Ask the caller who they are."}</p>}
      {records.map((record) => (
        <Record key={`${record.type} ${record.id}`} record={record} />
      ))}
    </div>
  );
}

function Loading() {
  return (
    <div className={classes.records} role="status">
      <span className="sr-only">Looking the caller up</span>
      <Skeleton height={20} width="60%" />
      <Skeleton height={14} width="85%" />
      <Skeleton height={14} width="70%" />
      <Skeleton height={20} width="50%" mt="md" />
      <Skeleton height={14} width="80%" />
    </div>
  );
}

function Record({ record }: { record: CrmRecord }) {
  return (
    <article className={classes.record}>
      <div className={classes.head}>
        <Icon name={icons[record.type]} size={18} />
        <div className={classes.words}>
          <p className={classes.type}>{record.type === "Case" ? "Open case" : record.type}</p>
          <h3>{record.url ? <a href={record.url} target="_blank" rel="noreferrer">{record.title}</a> : record.title}</h3>
          {record.subtitle && <p className={classes.subtitle}>{record.subtitle}</p>}
        </div>
      </div>
      {record.fields.length > 0 && (
        <dl className={classes.fields}>
          {record.fields.map((field) => (
            <div key={field.label}>
              <dt>{field.label}</dt>
              <dd>{field.value || <span className="muted">empty</span>}</dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}
