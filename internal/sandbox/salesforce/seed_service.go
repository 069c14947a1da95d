package salesforce

import "fmt"

// service makes what routing and presence start with: roles, permission sets with their grants, a call centre, the queue's
// members and entities, channels and presence statuses, and who may use which of them.
func (s *seeder) service(profiles, users []string, queue string) error {
	set := &seedSet{seeder: s}
	set.add("UserRole", record{"Name": "Agent", "DeveloperName": "Agent"})
	set.add("UserRole", record{"Name": "Supervisor", "DeveloperName": "Supervisor"})
	own := make([]string, len(profiles))
	for i, name := range []string{adminProfile, "Standard User"} {
		own[i] = set.add("PermissionSet", record{
			"Name": fmt.Sprintf("X00ex%011d", i+1), "Label": name, "ProfileId": profiles[i], "IsOwnedByProfile": true, "Type": "Profile",
			"IsCustom": i > 0, "PermissionsApiEnabled": true,
		})
	}
	agents := set.add("PermissionSet", record{"Name": "Contact_Center_Agent", "Label": "Contact Center Agent", "Description": "May take calls and set a presence"})
	for i, user := range users {
		set.add("PermissionSetAssignment", record{"PermissionSetId": own[min(i/2, 1)], "AssigneeId": user})
		if i >= 2 { // the first two are the administrator and the integration
			set.add("PermissionSetAssignment", record{"PermissionSetId": agents, "AssigneeId": user})
			set.add("GroupMember", record{"GroupId": queue, "UserOrGroupId": user})
		}
	}
	for _, entity := range []string{"Case", "Task", "VoiceCall"} {
		set.add("QueueSobject", record{"QueueId": queue, "SobjectType": entity})
	}
	set.add("QueueRoutingConfig", record{
		"DeveloperName": "Support", "MasterLabel": "Support", "RoutingModel": "LeastActive", "RoutingPriority": int64(1), "CapacityWeight": 1.0, "PushTimeout": int64(30),
	})
	app := set.add("ConnectedApplication", record{"Name": "Sandbox client", "OptionsAllowAdminApprovedUsersOnly": true})
	set.add("SetupEntityAccess", record{"ParentId": own[0], "SetupEntityId": app, "SetupEntityType": "ConnectedApplication"})
	set.add("CallCenter", record{"Name": "Contact Center", "InternalName": "ContactCenter", "Version": 1.0})
	set.presence(profiles, own, agents)
	return set.err
}

// seedSet adds records until one fails.
type seedSet struct {
	*seeder
	err error
}

func (s *seedSet) add(entity string, r record) string {
	if s.err != nil {
		return ""
	}
	id, err := s.seeder.add(entity, s.start, r)
	s.err = err
	return id
}

func (s *seedSet) presence(profiles, own []string, agents string) {
	channels := map[string]string{}
	for _, c := range []struct{ name, label, entity string }{
		{"sfdc_phone", "Phone", "VoiceCall"},
		{"Cases", "Cases", "Case"},
	} {
		channels[c.name] = s.add("ServiceChannel", record{"DeveloperName": c.name, "MasterLabel": c.label, "RelatedEntity": c.entity})
	}
	statuses := map[string]string{}
	for _, p := range []struct {
		name, label string
		channels    []string // that it is online for; none: it is a busy one
	}{
		{"Available", "Available", []string{"sfdc_phone", "Cases"}},
		{"Available_Phone", "Available - Phone", []string{"sfdc_phone"}},
		{"Busy", "Busy", nil},
		{"Break", "Break", nil},
		{"After_Call_Work", "After Call Work", nil},
	} {
		id := s.add("ServicePresenceStatus", record{"DeveloperName": p.name, "MasterLabel": p.label})
		statuses[p.name] = id
		for _, c := range p.channels {
			s.add("ServiceChannelStatus", record{"ServiceChannelId": channels[c], "ServicePresenceStatusId": id})
		}
		for _, parent := range []string{own[0], agents} {
			s.add("SetupEntityAccess", record{"ParentId": parent, "SetupEntityId": id, "SetupEntityType": "ServicePresenceStatus"})
		}
	}
	config := s.add("PresenceUserConfig", record{
		"DeveloperName": "Default_Presence_Configuration", "MasterLabel": "Default Presence Configuration", "Capacity": 5.0, "OptionsIsDeclineEnabled": true,
		"OptionsIsRequestSoundEnabled": true, "PresenceStatusOnDeclineId": statuses["Busy"], "PresenceStatusOnPushTimeoutId": statuses["Busy"],
		"OptionsHasAfterConvoWorkTimer": true, "HasAfterConvoWorkTimer": true, "AfterConvoWorkMaxTime": int64(120),
	})
	for _, p := range profiles {
		s.add("PresenceUserConfigProfile", record{"PresenceUserConfigId": config, "ProfileId": p})
	}
}
