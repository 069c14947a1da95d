import { Link } from "@tanstack/react-router";
import type { ContactSummary } from "../api/types";
import { Pill } from "../ui/Status";
import classes from "./Contacts.module.css";

/** The customer's number, and whether the hub called it. */
export function Customer({ contact }: { contact: Pick<ContactSummary, "id" | "ani" | "direction"> }) {
  return (
    <span className={classes.customer}>
      <Link to="/contacts/$id" params={{ id: contact.id }} className="num">
        {contact.ani || "Withheld"}
      </Link>
      {contact.direction === "callback" && <Pill>Callback</Pill>}
    </span>
  );
}
