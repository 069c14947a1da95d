import { Button, Group, Menu, Modal } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { FlowDetail } from "../api/types";
import { Icon } from "../ui/Icon";
import { toastFailed } from "../ui/toast";
import { exportAddress, writeFlow, type Written } from "./api";
import classes from "./Flows.module.css";

const formats: [string, string][] = [
  ["webex", "Webex"],
  ["webex-v2", "Webex FlowV2"],
  ["connect", "Amazon Connect"],
  ["yaml", "YAML"],
];

function save({ file, text }: Written): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000); // the browser has begun to read it by then
}

/** The ways to get a flow as a file: as it came, or as it is now in one of the formats, with what a format cannot say. */
export function useDownloads(flow: FlowDetail, admin: boolean) {
  const [lossy, setLossy] = useState<(Written & { label: string }) | null>(null);
  const write = useMutation({
    mutationFn: ([format]: [string, string]) => writeFlow(flow.id, flow.version, format),
    onSuccess: (written, [, label]) => (written.losses.length === 0 ? save(written) : setLossy({ ...written, label })),
    onError: toastFailed,
  });
  const items = (
    <>
      <Menu.Label>Version {flow.version} as a file</Menu.Label>
      {admin &&
        formats.map((format) => (
          <Menu.Item key={format[0]} leftSection={<Icon name="download" />} onClick={() => write.mutate(format)} data-testid={`download-${format[0]}`}>
            {format[1]}
          </Menu.Item>
        ))}
      <Menu.Item component="a" href={exportAddress(flow.id, flow.version)} download leftSection={<Icon name="download" />}>
        The original file
      </Menu.Item>
    </>
  );
  const dialog = (
    <Modal opened={lossy !== null} onClose={() => setLossy(null)} size="lg" title={`Not all of this flow can be said in ${lossy?.label ?? ""}`} closeButtonProps={{ "aria-label": "Close" }}>
      <ul className={classes.plain} data-testid="losses">
        {lossy?.losses.map((loss, index) => (
          <li key={index}>
            {loss.node && <strong>{loss.node} </strong>}
            {loss.what}
          </li>
        ))}
      </ul>
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={() => setLossy(null)}>
          Keep it here
        </Button>
        <Button
          onClick={() => {
            if (lossy) save(lossy);
            setLossy(null);
          }}
        >
          Download all the same
        </Button>
      </Group>
    </Modal>
  );
  return { items, dialog };
}
