"""The capacity model beside real servers, and its predictions for clusters."""
