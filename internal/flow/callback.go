package flow

// Callback returns the session of the contact that calls the customer back: it has the variables of this one and reacts to events, but
// walks nowhere by itself. The contact is another, named by id.
func (s *Session) Callback(id string) *Session {
	c := s.Clone()
	c.Contact.ID = id
	c.Threads, c.Waiting, c.Placement = nil, nil, 0
	c.Talking, c.HungUp, c.HangupSent, c.ContactOver, c.Over = false, false, false, false, false
	c.Left = true // nobody is to be hung up because no thread runs
	return c
}
