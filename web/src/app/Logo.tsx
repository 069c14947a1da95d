/** Two rings that ride together. Decorative: the name stands beside it. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" fill="#2f55c8" />
      <circle cx="12" cy="16" r="5.5" fill="none" stroke="#fff" strokeWidth="3" />
      <circle cx="20" cy="16" r="5.5" fill="none" stroke="#b9ccff" strokeWidth="3" />
    </svg>
  );
}
