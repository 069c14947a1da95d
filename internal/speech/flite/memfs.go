package flite

import (
	"io"
	"io/fs"

	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
)

// memFS is a folder with one file in memory, which is all a running flite can see.
type memFS struct {
	experimentalsys.UnimplementedFS

	name string
	file *memFile
}

// OpenFile opens the folder itself or its file.
func (m memFS) OpenFile(path string, flag experimentalsys.Oflag, _ fs.FileMode) (experimentalsys.File, experimentalsys.Errno) {
	switch path {
	case "", ".":
		return memDir{}, 0
	case m.name:
		if flag&experimentalsys.O_TRUNC != 0 {
			m.file.data = nil
		}
		m.file.pos = 0
		return m.file, 0
	}
	return nil, experimentalsys.ENOENT
}

// Stat describes the folder or its file.
func (m memFS) Stat(path string) (sys.Stat_t, experimentalsys.Errno) {
	switch path {
	case "", ".":
		return memDir{}.Stat()
	case m.name:
		return m.file.Stat()
	}
	return sys.Stat_t{}, experimentalsys.ENOENT
}

// Lstat is Stat: there are no links.
func (m memFS) Lstat(path string) (sys.Stat_t, experimentalsys.Errno) { return m.Stat(path) }

type memDir struct {
	experimentalsys.UnimplementedFile
}

// IsDir is always true.
func (memDir) IsDir() (bool, experimentalsys.Errno) { return true, 0 }

// Stat describes a folder.
func (memDir) Stat() (sys.Stat_t, experimentalsys.Errno) {
	return sys.Stat_t{Mode: fs.ModeDir | 0o700, Nlink: 1}, 0
}

// memFile is a file in memory that is written from its start to its end, without seeking. It belongs to one instance,
// which runs in one goroutine.
type memFile struct {
	experimentalsys.UnimplementedFile

	data  []byte
	pos   int64
	limit int64 // bytes; beyond it writing fails
}

// Stat describes a regular file.
func (f *memFile) Stat() (sys.Stat_t, experimentalsys.Errno) {
	return sys.Stat_t{Mode: 0o600, Nlink: 1, Size: int64(len(f.data))}, 0
}

// Write writes at the file's position.
func (f *memFile) Write(buf []byte) (int, experimentalsys.Errno) {
	n, errno := f.Pwrite(buf, f.pos)
	f.pos += int64(n)
	return n, errno
}

// Pwrite writes at an offset.
func (f *memFile) Pwrite(buf []byte, off int64) (int, experimentalsys.Errno) {
	end := off + int64(len(buf))
	if off < 0 || end > f.limit {
		return 0, experimentalsys.EINVAL
	}
	if grow := end - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	return copy(f.data[off:], buf), 0
}

// limitedWriter keeps the first bytes and drops the rest.
type limitedWriter struct {
	w    io.Writer
	left int
}

// Write never fails for want of room.
func (l *limitedWriter) Write(p []byte) (int, error) {
	keep := min(len(p), l.left)
	l.left -= keep
	if _, err := l.w.Write(p[:keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}
